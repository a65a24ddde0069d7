"""`connect`: log in to an org in one of six ways, and keep the connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from msgspec import Struct

from salesforce_sync.app import SFSync, SystemClock
from salesforce_sync.commands import login, production
from salesforce_sync.commands.options import Options, os_user, saying_yes, shared
from salesforce_sync.config import LOGINS, Config
from salesforce_sync.connecting import added
from salesforce_sync.errors import ConfigError, ConnectionNotFound
from salesforce_sync.process.exits import Exit
from salesforce_sync.process.terminal import say, say_json, warn

if TYPE_CHECKING:
    from salesforce_sync.access import Access, User
    from salesforce_sync.access.connections import KnownConnection
    from salesforce_sync.models.connection import Connection, Session


class _Way(Struct, frozen=True):
    """How to log in, as the options say it."""

    method: str | None
    secret_stdin: bool
    target_org: str | None
    redirect_port: int
    no_browser: bool


class _Place(Struct, frozen=True):
    """Where the login is kept: the default connection's place, or a named one's, which may be new."""

    name: str | None = None
    owner: User | None = None
    instance_url: str | None = None
    database: Path | None = None
    is_new: bool = False


@click.command()
@shared
@click.option("--method", type=click.Choice(login.WAYS), help="How. Asked for if it is not clear.")
@click.option("--name", metavar="NAME", help="Another org beside config.yaml's, with a replica of its own.")
@click.option("--owner", metavar="USER", help="Whose it is, for --name.  [default: this machine's]")
@click.option("--instance-url", metavar="URL", help="The org's My Domain address.")
@click.option("--login-url", metavar="URL", help="Where the token endpoint is not at the instance.")
@click.option("--client-id", metavar="ID", help="The app's consumer key.")
@click.option("--username", metavar="NAME", help="The user, for jwt.")
@click.option("--jwt-key-file", metavar="FILE", help="The private key in PEM form, for jwt.")
@click.option("--make-key", is_flag=True, help="Make a key and certificate for jwt, and show what to do with them.")
@click.option("--target-org", metavar="ORG", help="The alias or user name that sf knows it by, for sf.")
@click.option(
    "--redirect-port",
    type=click.IntRange(0, 65535),
    default=login.REDIRECT_PORT,
    show_default=True,
    help="For browser; 0: a free one.",
)
@click.option("--no-browser", is_flag=True, help="Only show the address to open, for browser.")
@click.option("--secret-stdin", is_flag=True, help="Read the secret, token or session from standard input.")
@saying_yes
@click.pass_obj
def connect(
    options: Options,
    /,
    method: str | None,
    secret_stdin: bool,
    target_org: str | None,
    redirect_port: int,
    no_browser: bool,
    make_key: bool,
    name: str | None,
    owner: str | None,
    yes: bool,
    **settings: Any,
) -> int:
    """Log in to an org and keep the connection, encrypted.

    What is missing is asked for. A client secret, a refresh token or a session is never taken from the command line,
    where `ps` shows it to everybody and the shell writes it down: it comes from a hidden prompt, from --secret-stdin,
    from .env or from the environment.
    """
    way = _Way(method, secret_stdin, target_org, redirect_port, no_browser)
    named = name or options.connection
    with options.access() as access:
        place = _place(access, named, owner)
        given = {**settings, "instance_url": settings["instance_url"] or place.instance_url}
        if make_key:
            return _make_key(options, _config(options, access, place, given), named)
        with Options(options.config, connection=named).recorded("login") as ending:
            told, connection, session = _log_in(options, way, place, given)
            ending.detail = told
            with _kept(options, access, place, given, connection, session) as sync:
                production.after_login(sync, os_user(), yes=yes)
                instance, kept_beside = sync.connected_org().address, sync.config.storage.path
    if options.json:
        say_json({"connected_to": instance, "method": told} | ({"connection": named} if named else {}))
    else:
        say(f"Connected to {instance}. The connection is kept, encrypted, beside {kept_beside}.")
    if place.name is None:
        _warn_of_another(Config.load(options.config), connection)
    return Exit.COMPLETE


# ── Where it is kept ─────────────────────────────────────────────────────────────────────────────────────────────


def _place(access: Access, name: str | None, owner: str | None) -> _Place:
    from salesforce_sync.access.connections import check_name

    if name is None or name == "default":
        if owner is not None:
            raise ConfigError("--owner goes with --name.", hint="config.yaml's connection is everybody's.")
        return _Place()
    user = None if owner is None else access.users.named(owner)
    found = _known(access, name, user)
    if found is None:
        check_name(name)  # before a person goes through a whole login
        return _Place(name, user, is_new=True)
    return _Place(found.id, user, found.instance_url, found.database)


def _known(access: Access, name: str, owner: User | None) -> KnownConnection | None:
    """The connection of this name or id. One that is only shared with the owner, or seen by an admin, is by its id."""
    if owner is not None:
        seen = access.connections.list(owner)
        return next((each for each in seen if name == each.id or (name, owner.id) == (each.name, each.owner_id)), None)
    try:
        return access.connections.get(name)
    except ConnectionNotFound:
        return None


def _config(options: Options, access: Access, place: _Place, given: Mapping[str, Any]) -> Config:
    if place.name is None:
        return Config.load(options.config, **given)
    if place.is_new:
        url = given["instance_url"]
        if url is None:
            raise ConfigError("A new connection needs the org's address.", hint="Give --instance-url.")
        return access.connections.config_of(access.connections.add(place.name, url, place.owner).id)
    return access.connections.config_of(place.name)


@contextmanager
def _kept(
    options: Options,
    access: Access,
    place: _Place,
    given: Mapping[str, Any],
    connection: Connection,
    session: Session | None,
) -> Iterator[SFSync]:
    """Keep the login in its place, and open the replica."""
    if place.name is not None and place.is_new:
        with added(access, place.name, place.owner, connection, session) as (_, sync):
            yield sync
        return
    with SFSync(_config(options, access, place, {**given, "instance_url": connection.instance_url})) as sync:
        sync.connect(connection, session)
        yield sync


def _warn_of_another(settings: Config, kept: Connection) -> None:
    """Say so where the settings describe another login: the next command would take that one, and forget this one."""
    method = settings.complete_method()
    if method is None or settings.is_part_of(kept) or (method is kept.method and settings.agrees_with(kept)):
        return
    names = " and ".join(f"SF_{name.upper()}" for name in sorted(LOGINS[method] - {"client_id"}))
    warn(
        f"But .env or the environment describes another login, with {names}: the next command uses that one.\n"
        "  Take it out there to use this one."
    )


# ── How to log in ────────────────────────────────────────────────────────────────────────────────────────────────


def _log_in(
    options: Options, way: _Way, place: _Place, given: Mapping[str, Any]
) -> tuple[str, Connection, Session | None]:
    known = Config.load(options.config, **given)
    name = login.choose_way(known, way.method)
    if name == login.SF:
        from salesforce_sync.api.sf_login import take_over

        return name, *take_over(way.target_org)
    if place.is_new and given["instance_url"] is None:
        # Never config.yaml's: that would be a second replica of the org that is there already.
        given = {**given, "instance_url": login.ask_for_address()}
        known = Config.load(options.config, **given)
    if name == login.BROWSER:
        return name, *_by_browser(Config.load(options.config, **{**given, **login.ask_for_app(known)}), way)
    method = login.METHODS[name]
    given = {**given, **login.made_key(known, method, place.database or known.storage.path)}
    answers = login.ask_for_missing(Config.load(options.config, **given), method, secret_stdin=way.secret_stdin)
    return method.value, Config.load(options.config, **{**given, **answers}).connection_by(method), None


def _by_browser(config: Config, way: _Way) -> tuple[Connection, Session]:
    from salesforce_sync.api.browser_login import app_for, begin, complete
    from salesforce_sync.api.wire import Wire
    from salesforce_sync.commands.redirect import landing, open_browser  # brings an HTTP server

    if way.secret_stdin:
        raise ConfigError("--secret-stdin does not go with a browser login.", hint="Give SF_CLIENT_SECRET in .env.")
    keys = config.credentials
    instance = config.salesforce.instance_url if config.org_is_known else None
    app = app_for(keys.client_id, keys.login_url or instance, keys.client_secret)
    with landing(way.redirect_port, paste_will_do=way.no_browser) as server, closing(Wire()) as wire:
        begun = begin(app, server.address)
        warn(f"Open this address in a browser and allow the access:\n\n  {begun.authorize_url}\n")
        if not way.no_browser:
            open_browser(begun.authorize_url)
        warn("If the browser is on another machine, paste here the address of the page that it ends on.")
        return complete(begun, server.wait(begun), wire, SystemClock())


def _make_key(options: Options, config: Config, named: str | None) -> int:
    from salesforce_sync.api.jwt_key import files_beside, make

    pair = make(files_beside(config.storage.path), SystemClock().now())
    if options.json:
        say_json({"key_file": str(pair.key_file), "certificate_file": str(pair.certificate_file)})
    else:
        name = f" --name {named}" if named else ""
        address = config.salesforce.instance_url if config.org_is_known else "https://yourdomain.my.salesforce.com"
        say(_STEPS.format(key=pair.key_file, certificate=pair.certificate_file, name=name, address=address))
    return Exit.COMPLETE


_STEPS: Final = """\
The private key, which stays on this machine:  {key}
The certificate, for Salesforce:               {certificate}

In Salesforce, once:
  1. Setup, External Client App Manager, New External Client App. Enable OAuth; the callback URL is not used
     (http://localhost:1717/OauthRedirect will do). Scopes: Manage user data via APIs (api), and Perform requests
     at any time (refresh_token, offline_access).
  2. Enable JWT Bearer Flow, and upload the certificate above.
  3. Policies, OAuth Policies: permitted users are "Admin approved users are pre-authorized"; add a permission set
     or profile of the user that this program logs in as.
  4. Settings, OAuth Settings, Consumer Key: copy it. A new app takes up to ten minutes to be known everywhere.

Then:
  salesforce-sync connect{name} --method jwt --instance-url {address} \\
      --client-id CONSUMER_KEY --username USER"""
