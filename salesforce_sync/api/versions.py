"""Which API versions an org has, and what to say where the one that is set is none of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from salesforce_sync.errors import ConfigError


class _Listed(msgspec.Struct, frozen=True):
    version: str


_decoder = msgspec.json.Decoder(list[_Listed])


def listed(body: bytes) -> tuple[str, ...]:
    """The versions of the list at /services/data/, oldest first; empty where it is no such list."""
    try:
        return tuple(each.version for each in _decoder.decode(body))
    except msgspec.DecodeError:
        return ()


def unknown(version: str, known: Sequence[str], set_in: str) -> ConfigError | None:
    """What to raise where the org has other versions than this one; `set_in` is the file in which it is set."""
    if not known or version in known:
        return None
    return ConfigError(
        f"The org has no API version {version}: it has {known[0]} to {known[-1]}.",
        hint=f"Set salesforce.api_version in {set_in}, or SF_API_VERSION, to one of them.",
    )
