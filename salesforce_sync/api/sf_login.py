"""Take over the login of Salesforce's own command line, `sf`."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Final

import msgspec

from salesforce_sync.api.wire import origin
from salesforce_sync.errors import ConfigError, LoginRefused, NotConnected
from salesforce_sync.models.connection import Connection, LoginMethod, Session
from salesforce_sync.settings import is_address

SECONDS: Final = 120
_TARGET: Final = re.compile(r"[A-Za-z0-9][^\s\x00-\x1f]{0,127}")
_AUTH_URL: Final = re.compile(
    r"force://(?P<client>[^:@/]+):(?P<secret>[^:@/]*):(?P<refresh>[^@]+)@(?P<host>[^/@\s]+)/?"
)

_TOKEN: Final = re.compile(r"[!-~]{15,}")


class _Shown(msgspec.Struct, rename="camel"):
    access_token: str | None = None
    instance_url: str | None = None
    sfdx_auth_url: str | None = None


class _Reply(msgspec.Struct):
    result: _Shown | None = None
    message: str | None = None
    name: str | None = None


_REPLY = msgspec.json.Decoder(_Reply)


def take_over(target: str | None = None) -> tuple[Connection, Session | None]:
    """What `sf org display` tells of this org (an alias or user name), or of the default one.

    With its refresh token where it shows one (for browser logins), else with its session, which cannot be renewed here.
    `NotConnected` without sf, `LoginRefused` if sf is not logged in there.
    """
    program = shutil.which("sf")
    if program is None:
        hint = "Install it (npm install --global @salesforce/cli), or connect another way: --method browser."
        raise NotConnected("Salesforce's command line, sf, is not installed here.", hint=hint)
    if target is not None and not _TARGET.fullmatch(target):  # nothing that sf would take for an option
        raise ConfigError("The target org is an alias or a user name.", hint="'sf org list' shows them.")
    to = ["--json", *(["--target-org", target] if target else [])]
    reply = _asked([program, "org", "display", "--verbose", *to])
    shown = reply.result
    if shown is None or not shown.instance_url or not is_address(origin(shown.instance_url)):
        said = (reply.message or "it told no org")[:300]
        raise LoginRefused(f"sf has no login to take over: {said}", reason=reply.name or "sf", hint=_LOG_IN)
    # Since May 2026 `org display` says "[REDACTED] …" instead (CLI guide, "View Org Authentication Secrets").
    url = _AUTH_URL.fullmatch(shown.sfdx_auth_url or "") or _auth_url([program, "org", "auth"], to)
    token = shown.access_token if _TOKEN.fullmatch(shown.access_token or "") else _token([program, "org", "auth"], to)
    return _connection(origin(shown.instance_url), url, token)


def _auth_url(auth: list[str], to: list[str]) -> re.Match[str] | None:
    """A login by JWT has none."""
    told = _asked([*auth, "show-sfdx-auth-url", *to]).result
    return None if told is None else _AUTH_URL.fullmatch(told.sfdx_auth_url or "")


def _token(auth: list[str], to: list[str]) -> str | None:
    told = _asked([*auth, "show-access-token", *to]).result
    found = None if told is None else _TOKEN.fullmatch(told.access_token or "")
    return None if found is None else found[0]


_LOG_IN: Final = "Log in with 'sf org login web' and name the org with --target-org, or connect another way."


def _asked(command: list[str]) -> _Reply:
    try:
        # What it prints holds secrets: it is read here and shown nowhere.
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise LoginRefused("sf could not be asked for its login.", reason="sf", hint=_LOG_IN) from failed
    try:
        return _REPLY.decode(ran.stdout)
    except msgspec.MsgspecError:
        # Without its cause, which may repeat what was read.
        raise LoginRefused("What sf answered is not understood.", reason="sf", hint=_LOG_IN) from None


def _connection(instance: str, url: re.Match[str] | None, token: str | None) -> tuple[Connection, Session | None]:
    session = Session(instance, token) if token else None
    if url is not None:
        connection = Connection(
            LoginMethod.REFRESH_TOKEN,
            instance,
            client_id=url["client"],
            client_secret=url["secret"] or None,
            refresh_token=url["refresh"],
        )
        return connection, session
    if token is None:
        raise LoginRefused("sf shows neither a session nor a refresh token.", reason="sf", hint=_LOG_IN)
    return Connection(LoginMethod.PASTED_SESSION, instance, access_token=token), session
