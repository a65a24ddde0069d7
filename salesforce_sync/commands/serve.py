"""The command that serves the HTTP API: parse, run the server, print where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from salesforce_sync.commands import doorman
from salesforce_sync.commands.options import Options, shared
from salesforce_sync.config import Config
from salesforce_sync.process.exits import Exit


@click.command()
@shared
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 takes a free one.  [default: 8765]")
@click.option("--tls-cert", type=click.Path(exists=True, path_type=Path), help="The certificate, for https.")
@click.option("--tls-key", type=click.Path(exists=True, path_type=Path), help="Its private key.")
@click.option("--allow-host", "names", metavar="NAME", multiple=True, help="Answer to this name too.")
@click.option("--plain-http", "plain", is_flag=True, help="Yes, without TLS to other machines too.")
@click.option("--proxy", "proxies", metavar="ADDRESS", multiple=True, help="Believe its X-Forwarded-For; or a network.")
@click.option("--rate", type=click.IntRange(min=1), help="Requests a second of one user.  [default: 100]")
@click.pass_obj
def serve(options: Options, /, tls_cert: Path | None, tls_key: Path | None, rate: int | None, **place: Any) -> int:
    """Serve the HTTP API, until Ctrl-C or SIGTERM.

    Only to this machine, if --host says nothing else; to others by https, or with --plain-http. The first start makes
    a user `admin` and prints his token, and a link that logs a browser in once.
    """
    # Imported here: the web framework takes most of a second to load.
    from salesforce_sync.web.house import RATE, Settings, limits_at
    from salesforce_sync.web.serving import PORT, Place, Running

    given = {name: value for name, value in place.items() if value is not None}
    where = Place(**({"port": PORT} | given), certificate=tls_cert, key=tls_key)
    settings = Settings(limits=limits_at(rate or RATE))
    doorman.serve(Running(Config.load(options.config), where, settings), as_json=options.json)
    return Exit.COMPLETE
