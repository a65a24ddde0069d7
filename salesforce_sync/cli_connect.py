"""`connect`: log in to an org, and keep the connection."""

from __future__ import annotations

from typing import Any

import click

from salesforce_sync import login
from salesforce_sync.app import SFSync
from salesforce_sync.cli_options import Options, shared
from salesforce_sync.config import Config
from salesforce_sync.exits import Exit
from salesforce_sync.terminal import say, say_json


@click.command()
@shared
@click.option("--method", type=click.Choice(list(login.METHODS)), help="How to log in. Asked for if it is not clear.")
@click.option("--instance-url", metavar="URL", help="The org's My Domain address.")
@click.option("--login-url", metavar="URL", help="Where the token endpoint is not at the instance.")
@click.option("--client-id", metavar="ID", help="The app's consumer key.")
@click.option("--username", metavar="NAME", help="The user, for jwt.")
@click.option("--jwt-key-file", metavar="FILE", help="The private key in PEM form, for jwt.")
@click.option("--secret-stdin", is_flag=True, help="Read the secret, token or session from standard input.")
@click.pass_obj
def connect(options: Options, /, method: str | None, secret_stdin: bool, **settings: Any) -> int:
    """Log in to an org and keep the connection, encrypted.

    What is missing is asked for. A client secret, a refresh token or a session is never taken from the command line,
    where `ps` shows it to everybody and the shell writes it down: it comes from a hidden prompt, from --secret-stdin,
    from .env or from the environment.
    """
    known = Config.load(options.config, **settings)
    way = login.choose_method(known, method)
    answers = login.ask_for_missing(known, way, secret_stdin=secret_stdin)
    config = Config.load(options.config, **(settings | answers))
    with SFSync(config) as sync, options.recorded("login", detail=way.value):
        instance = sync.connect(config.connection_by(way))
    if options.json:
        say_json({"connected_to": instance, "method": way.value})
    else:
        say(f"Connected to {instance}. The connection is kept, encrypted, beside {config.storage.path}.")
    return Exit.COMPLETE
