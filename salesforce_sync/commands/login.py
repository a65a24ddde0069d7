"""What `connect` has to know to log in, asking a person for what the settings do not say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from salesforce_sync.config import LOGINS, Config
from salesforce_sync.errors import ConfigError, NotConnected
from salesforce_sync.models.connection import LoginMethod
from salesforce_sync.settings import is_address, org_address

METHODS: Final = {
    "client-credentials": LoginMethod.CLIENT_CREDENTIALS,
    "jwt": LoginMethod.JWT_BEARER,
    "refresh-token": LoginMethod.REFRESH_TOKEN,
    "session": LoginMethod.PASTED_SESSION,
}

BROWSER: Final = "browser"
SF: Final = "sf"
WAYS: Final = (BROWSER, *METHODS, SF)

REDIRECT_PORT: Final = 1717
"""Where a browser comes back to, unless --redirect-port says otherwise; sf uses it too, so administrators know it."""

_QUESTIONS: Final = {
    "client_id": "Client id (the app's consumer key)",
    "username": "Username",
    "jwt_key_file": "File of the private key",
    "client_secret": "Client secret",
    "refresh_token": "Refresh token",
    "access_token": "Session (access token)",
}
"""Asked in this order."""

_SECRETS: Final = {
    LoginMethod.CLIENT_CREDENTIALS: "client_secret",
    LoginMethod.REFRESH_TOKEN: "refresh_token",
    LoginMethod.PASTED_SESSION: "access_token",
}


def choose_way(config: Config, name: str | None) -> str:
    """The way that was named, else the one that the credentials make up, else the one that a person picks."""
    if name is not None:
        return name
    complete = config.complete_method()
    if complete is None and _somebody_there():
        return str(click.prompt("How to log in", type=click.Choice(WAYS), default=BROWSER, err=True))
    given = config.connection()
    if given is None:
        raise NotConnected(
            "There are no credentials, and nobody to ask for them.",
            hint="Fill in .env (see .env.example), or give --method and --secret-stdin.",
        )
    return next(name for name, method in METHODS.items() if method is given.method)


def ask_for_app(config: Config) -> dict[str, str]:
    """What a browser login lacks, from a person; nothing where there is nobody to ask."""
    if not _somebody_there():
        return {}
    answers = {} if config.org_is_known or config.credentials.login_url else {"instance_url": ask_for_address()}
    if config.credentials.client_id is None:
        answers["client_id"] = click.prompt(_QUESTIONS["client_id"], err=True)
    return answers


def ask_for_missing(config: Config, method: LoginMethod, *, secret_stdin: bool) -> dict[str, str]:
    """What the settings lack, from standard input or from a person; named as `Config.load` wants it."""
    if secret_stdin:
        return _read_secret(method)
    if not _somebody_there():
        return {}
    answers = {} if config.org_is_known else {"instance_url": ask_for_address()}
    for name, question in _QUESTIONS.items():
        if name in LOGINS[method] and getattr(config.credentials, name) is None:
            answers[name] = click.prompt(question, hide_input=name in _SECRETS.values(), err=True)
    return answers


def _somebody_there() -> bool:
    return sys.stdin.isatty()


def made_key(config: Config, method: LoginMethod, database: Path) -> dict[str, str]:
    """For JWT without a key file: the one that `connect --make-key` has made for this database, if it has."""
    from salesforce_sync.api.jwt_key import files_beside

    pair = files_beside(database)
    wanted = method is LoginMethod.JWT_BEARER and config.credentials.jwt_key_file is None
    return {"jwt_key_file": str(pair.key_file)} if wanted and pair.key_file.is_file() else {}


def ask_for_address() -> str:
    """The org's address, from a person; `ConfigError` where there is nobody to ask."""
    if not _somebody_there():
        raise ConfigError("A new connection needs the org's address.", hint="Give --instance-url.")
    while True:
        text = org_address(click.prompt("Address of the org (https://yourdomain.my.salesforce.com)", err=True))
        if is_address(text):
            return text
        click.echo("That is not an https address without a path.", err=True)


def _read_secret(method: LoginMethod) -> dict[str, str]:
    name = _SECRETS.get(method)
    if name is None:
        raise ConfigError("JWT takes no secret: --secret-stdin does not go with it.", hint="Give --jwt-key-file.")
    secret = sys.stdin.readline().strip()
    if not secret:
        raise ConfigError("--secret-stdin was given, and standard input is empty.", hint=f"Send the {name} there.")
    return {name: secret}
