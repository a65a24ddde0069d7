"""What commands about records are given: an object, a record, values of fields."""

from __future__ import annotations

import click

object_name = click.argument("object_name", metavar="OBJECT")
record_id = click.argument("record_id", metavar="ID")
assigned = click.argument("assignments", nargs=-1, metavar="FIELD=VALUE...")


def assignments_of(given: tuple[str, ...]) -> dict[str, str]:
    """`Phone=555` by field; everything behind the first `=` is the value."""
    pairs = [each.partition("=") for each in given]
    for name, equals, _ in pairs:
        if not equals or not name.strip():
            raise click.UsageError(
                f"{name!r} has no value. Write {name or 'Phone'}=VALUE, or {name or 'Phone'}= to clear the field."
            )
    names = [name.strip().casefold() for name, _, _ in pairs]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise click.UsageError(f"{name!r} is given twice.")
    return {name.strip(): value for name, _, value in pairs}
