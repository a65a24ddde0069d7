"""The commands for users, connections and the audit log: parse, call, print."""

from __future__ import annotations

import re
from typing import Final

import click
from msgspec.structs import replace

from salesforce_sync import doctor
from salesforce_sync.commands.options import Options, shared
from salesforce_sync.connecting import forgotten
from salesforce_sync.errors import SyncError
from salesforce_sync.process.exits import Exit
from salesforce_sync.process.terminal import clean, say, say_json
from salesforce_sync.reports.access import (
    connection_document,
    entry_document,
    say_connections,
    say_entries,
    say_users,
    say_verdict,
    user_document,
    verdict_document,
)

_name = click.argument("name", metavar="NAME")
_guest = click.argument("guest", metavar="USER")

ROLES: Final = ("viewer", "editor", "admin")


# ── Users ────────────────────────────────────────────────────────────────────────────────────────────────────────


@click.group()
@shared
def user() -> None:
    """Who may use the HTTP API and its page."""


@user.command("add")
@shared
@_name
@click.option("--role", type=click.Choice(ROLES), default="viewer", show_default=True, help="What he may do.")
@click.pass_obj
def add_user(options: Options, name: str, role: str) -> int:
    """Add a user and print his token, this once.

    A viewer reads; an editor syncs, edits, decides and exports; an admin does everything.
    """
    from salesforce_sync.access import Role

    with options.access() as access, options.recorded("user add", name, role):
        added, token = access.users.add(name, Role(role))
    if options.json:
        say_json(user_document(added) | {"token": token})
    else:
        say(f"{added.name} is {_article(role)} {role}. The token, which is not shown again:")
        say(token)
    return Exit.COMPLETE


def _article(role: str) -> str:
    return "a" if role == "viewer" else "an"


@user.command("list")
@shared
@click.pass_obj
def list_users(options: Options) -> int:
    """List the users."""
    with options.access() as access:
        users = access.users.list()
    if options.json:
        say_json({"users": [user_document(each) for each in users]})
    else:
        say_users(users)
    return Exit.COMPLETE


@user.command("role")
@shared
@_name
@click.argument("role", type=click.Choice(ROLES))
@click.pass_obj
def change_role(options: Options, name: str, role: str) -> int:
    """Give a user another role: it holds at once, and token and connections stay."""
    from salesforce_sync.access import Role

    with options.access() as access, options.recorded("user role", name, role):
        changed = access.users.change_role(name, Role(role))
    if options.json:
        say_json(user_document(changed))
    else:
        say(f"{changed.name} is {_article(role)} {role}.")
    return Exit.COMPLETE


@user.command("revoke")
@shared
@_name
@click.pass_obj
def revoke_user(options: Options, name: str) -> int:
    """Let a user in no more: the token and every browser session end at once."""
    with options.access() as access, options.recorded("user revoke", name):
        revoked = access.users.revoke(name)
    if options.json:
        say_json(user_document(revoked))
    else:
        say(f"{revoked.name} is let in no more.")
    return Exit.COMPLETE


# ── Connections ──────────────────────────────────────────────────────────────────────────────────────────────────


@click.group(invoke_without_command=True)
@shared
@click.pass_context
def connections(context: click.Context) -> int:
    """List the orgs that are known here.

    `connect --name NAME` adds one; `--connection NAME` uses it, in every command.
    """
    if context.invoked_subcommand is None:
        options: Options = context.obj
        with options.access() as access:
            default, *others = access.connections.list()
        found = [replace(default, instance_url=default.instance_url or _address(options)), *others]
        if options.json:
            say_json({"connections": [connection_document(each) for each in found]})
        else:
            say_connections(found)
    return Exit.COMPLETE


def _address(options: Options) -> str | None:
    """Where the default connection leads if the settings do not say it: to where somebody has logged in."""
    try:
        with Options(options.config).open() as sync:
            return sync.connected_to
    except SyncError:  # a login that cannot be read is told by whatever needs it
        return None


@connections.command("share")
@shared
@_name
@_guest
@click.pass_obj
def share_connection(options: Options, name: str, guest: str) -> int:
    """Let a user use a connection that is not his, within his role."""
    with options.access() as access, options.recorded("connection share", name, guest):
        access.connections.share(name, access.users.named(guest))
    return _done(options, {"connection": name, "shared_with": guest}, f"{guest} may use {name}.")


@connections.command("unshare")
@shared
@_name
@_guest
@click.pass_obj
def unshare_connection(options: Options, name: str, guest: str) -> int:
    """Take that back."""
    with options.access() as access, options.recorded("connection unshare", name, guest):
        access.connections.unshare(name, access.users.named(guest))
    return _done(options, {"connection": name, "unshared_with": guest}, f"{guest} may not use {name} any more.")


@connections.command("remove")
@shared
@_name
@click.pass_obj
def remove_connection(options: Options, name: str) -> int:
    """Forget a connection and its login. Its replica stays on the disk, with edits that were not sent."""
    with options.access() as access, options.recorded("connection remove", name):
        found = forgotten(access, name)
    document = connection_document(found)
    text = f"{name} is forgotten, and its login with it. Its replica is still here: {found.database}"
    return _done(options, document, text)


def _done(options: Options, document: dict[str, object], text: str) -> int:
    if options.json:
        say_json(document)
    else:
        say(text)
    return Exit.COMPLETE


# ── The audit log ────────────────────────────────────────────────────────────────────────────────────────────────


@click.group()
@shared
def audit() -> None:
    """Who did what, when, from where, and how it ended."""


@audit.command("show")
@shared
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Entries at most.")
@click.option("--before", type=click.IntRange(min=1), metavar="NUMBER", help="Only older ones than this.")
@click.pass_obj
def show_audit(options: Options, limit: int, before: int | None) -> int:
    """List what was done, newest first."""
    with options.access() as access:
        entries = access.audit.entries(most=limit, before=before)
    if options.json:
        say_json({"entries": [entry_document(each) for each in entries]})
    else:
        say_entries(entries)
    return Exit.COMPLETE


@audit.command("verify")
@shared
@click.option("--noted", metavar="NUMBER:HASH", help="The end of the chain as an earlier verify told it.")
@click.pass_obj
def verify_audit(options: Options, noted: str | None) -> int:
    """Prove that no entry was changed, put in or taken out; name the first that was."""
    with options.access() as access:
        verdict = access.audit.verify(None if noted is None else _noted(noted))
    if options.json:
        say_json(verdict_document(verdict))
    else:
        say_verdict(verdict)
    return Exit.COMPLETE if verdict.broken is None else Exit.FAILED


def _noted(text: str) -> tuple[int, str]:
    found = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", text, re.ASCII)
    if found is None:
        raise click.UsageError("--noted is a number, a colon and 64 hexadecimal digits, as `audit verify` prints them.")
    return int(found[1]), found[2]


# ── The doctor ───────────────────────────────────────────────────────────────────────────────────────────────────


@click.command("doctor")
@shared
@click.pass_obj
def see_doctor(options: Options) -> int:
    """Look for what stands in the way of a sync, here and in the org; a few API calls.

    SQLite, disk, file modes, the audit log, the login, the org's edition, missing rights, the clock, API calls used.
    """
    findings: list[doctor.Finding] = []
    with options.open() as sync:
        for each in doctor.examine(sync):
            findings.append(each)
            if not options.json:
                for line in doctor.readable([each]):
                    say(clean(line))
    if options.json:
        say_json(doctor.document(findings))
    return Exit.FAILED if doctor.worst(findings) is doctor.Level.FAIL else Exit.COMPLETE


ACCESS: Final = (user, connections, audit, see_doctor)
