"""`Config`: the settings, read once, each layer over the one before: config.yaml, .env, environment, arguments."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Self, get_args, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field

from salesforce_sync.errors import ConfigError, near
from salesforce_sync.models.connection import Connection, LoginMethod
from salesforce_sync.settings import (
    DEFAULT,
    POLICIES,
    SECTIONS,
    SETTINGS,
    Credentials,
    SalesforceSettings,
    Setting,
    SignalSettings,
    StorageSettings,
    SyncSettings,
    WorkbookSettings,
    is_address,
    org_address,
)
from salesforce_sync.sink_settings import BadSink, SinkSettings, sinks

DEFAULT_FILE: Final = Path("config.yaml")
EXAMPLE_HOST: Final = "yourinstance.salesforce.com"
"""The host in the config.yaml that comes with the project; nobody's org."""

_BY_ENV: Final = {each.env: each for each in SETTINGS}
_BY_NAME: Final = {each.name: each for each in SETTINGS if each.section != "credentials"}
_BY_ARGUMENT: Final = {each.argument: each for each in SETTINGS}


class _Given(Struct, frozen=True):
    """A setting's value as somebody wrote it, where that was, and the folder that a relative path in it starts from."""

    value: object
    where: str
    folder: Path


_Layer = dict[Setting, _Given]


class Config(Struct, frozen=True):
    """All settings. `file` is the config file that was read; None when there was none and the defaults hold.

    `home` is set where the replica is not the installation's own: the folder of the one that is.
    """

    salesforce: SalesforceSettings = field(default_factory=SalesforceSettings)
    sync: SyncSettings = field(default_factory=SyncSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    workbook: WorkbookSettings = field(default_factory=WorkbookSettings)
    signals: SignalSettings = field(default_factory=SignalSettings)
    credentials: Credentials = field(default_factory=Credentials)
    file: Path | None = None
    home: Path | None = None

    @property
    def house(self) -> Path:
        """The folder of what all replicas of an installation share: its users, connections and audit log."""
        return self.home or self.storage.path.parent

    @classmethod
    def load(
        cls, path: str | Path | None = None, *, environ: Mapping[str, str] | None = None, **arguments: Any
    ) -> Self:
        """Read all layers; `arguments` are named like the environment names, without `SF_` and in lower case.

        Without `path`, ./config.yaml is read if it is there. The .env file is the one beside the config file, else the
        one in the current folder. `ConfigError` names the setting and the file of what is wrong.
        """
        file = Path(path) if path is not None else DEFAULT_FILE
        if path is not None and not file.is_file():
            raise ConfigError(f"There is no config file {file}.", hint="Give --config the path of a config.yaml.")
        paths = {"storage.path": StorageSettings().path, "workbook.path": WorkbookSettings().path}
        given = (
            {_BY_NAME[name]: _Given(path, name, file.parent) for name, path in paths.items()}
            | _from_yaml(file)
            | _from_dotenv(file)
            | _from_environment(os.environ if environ is None else environ)
            | _from_arguments(arguments)
        )
        sections = _validated(given)
        return cls(**sections, file=Path(os.path.abspath(file)) if file.is_file() else None)

    def connection(self) -> Connection | None:
        """The org and the way to log in that the credentials describe; None where no credentials were given.

        `ConfigError` names what is missing from credentials that make up no way to log in.
        """
        given = self._given()
        method = self.complete_method()
        if given and method is None:
            raise _incomplete(given, LOGINS)
        return None if method is None else self.connection_by(method)

    def complete_method(self) -> LoginMethod | None:
        """The first way to log in that is complete: a pasted session, a refresh token, JWT, client credentials."""
        given = self._given()
        return next((method for method, needed in LOGINS.items() if needed <= given), None)

    def agrees_with(self, connection: Connection) -> bool:
        """Whether every credential that is given is this connection's: half of them may be all that a login needs."""
        return all(str(getattr(self.credentials, name)) == str(getattr(connection, name)) for name in self._given())

    def is_part_of(self, connection: Connection) -> bool:
        """Whether no more is given than a part of this login: the id of its app, or its id and its secret.

        Those two would do for client credentials, but somebody has logged in with this app otherwise since.
        """
        method = self.complete_method()
        if method is LoginMethod.CLIENT_CREDENTIALS:
            same_org = not self.org_is_known or self.salesforce.instance_url == connection.instance_url
            return same_org and connection.method is LoginMethod.REFRESH_TOKEN and self.agrees_with(connection)
        return method is None and self.agrees_with(connection)

    def _given(self) -> set[str]:
        return {name for name in _LOGIN_FIELDS if getattr(self.credentials, name) is not None}

    def connection_by(self, method: LoginMethod) -> Connection:
        """The connection by this way to log in, whatever else is given; `ConfigError` names what it lacks."""
        given = self._given()
        if not LOGINS[method] <= given:
            raise _incomplete(LOGINS[method] & given, [method])
        keys = self.credentials
        refreshing, jwt = method is LoginMethod.REFRESH_TOKEN, method is LoginMethod.JWT_BEARER
        pasted = method is LoginMethod.PASTED_SESSION
        if jwt and keys.jwt_key_file is not None and not keys.jwt_key_file.is_file():
            raise ConfigError(f"SF_JWT_KEY_FILE: there is no file {keys.jwt_key_file}.")
        return Connection(
            method=method,
            instance_url=self._instance(),
            login_url=None if pasted else keys.login_url,
            client_id=None if pasted else keys.client_id,
            username=keys.username if jwt else None,
            jwt_key_file=str(keys.jwt_key_file) if jwt else None,
            client_secret=None if pasted or jwt else keys.client_secret,
            refresh_token=keys.refresh_token if refreshing else None,
            access_token=keys.access_token if pasted else None,
        )

    @property
    def org_is_known(self) -> bool:
        """Whether salesforce.instance_url is set, and not still the example's."""
        url = self.salesforce.instance_url
        return url is not None and urlsplit(url).hostname != EXAMPLE_HOST

    def _instance(self) -> str:
        url = self.salesforce.instance_url
        if url is not None and self.org_is_known:
            return url
        problem = "not set, so there is no org to log in to" if url is None else f"still the example's, {url}"
        where = self.file or DEFAULT_FILE
        hint = f"Put your org's My Domain address there ({where}), or into SF_INSTANCE_URL."
        raise ConfigError(f"salesforce.instance_url is {problem}.", hint=hint)


LOGINS: Final = {
    LoginMethod.PASTED_SESSION: {"access_token"},
    LoginMethod.REFRESH_TOKEN: {"client_id", "refresh_token"},
    LoginMethod.JWT_BEARER: {"client_id", "username", "jwt_key_file"},
    LoginMethod.CLIENT_CREDENTIALS: {"client_id", "client_secret"},
}
"""What each way to log in needs. A refresh token may come with a client secret, so it is looked for before that."""

_LOGIN_FIELDS: Final = frozenset[str]().union(*LOGINS.values())


def _incomplete(given: set[str], methods: Iterable[LoginMethod]) -> ConfigError:
    """Name what would complete those of `methods` that most of `given` belongs to."""
    shared = {method: len(LOGINS[method] & given) for method in methods}
    nearest = [LOGINS[method] - given for method, count in shared.items() if count == max(shared.values())]
    nearest.sort(key=lambda missing: (len(missing), sorted(missing)))
    have = f"there is only {_env_names(given)}" if given else "there are none"
    hint = f"Add {', or '.join(map(_env_names, nearest))} to .env or the environment."
    return ConfigError(f"The credentials are not complete: {have}.", hint=hint)


def _env_names(fields: Iterable[str]) -> str:
    return " and ".join(sorted(f"SF_{name.upper()}" for name in fields))


# ── The layers ───────────────────────────────────────────────────────────────────────────────────────────────────


def _from_yaml(file: Path) -> _Layer:
    layer: _Layer = {}
    for section, entries in _parsed_yaml(file).items():
        known = [name for name in _BY_NAME if name.startswith(f"{section}.")]
        if not known:
            raise _unknown(file, str(section), {each.section for each in _BY_NAME.values()})
        if entries is not None and not isinstance(entries, dict):
            raise ConfigError(f"{file}: {section} must be a group of settings, such as {known[0]}.")
        for key, value in (entries or {}).items():
            setting = _BY_NAME.get(f"{section}.{key}")
            if setting is None:
                raise _unknown(file, f"{section}.{key}", known)
            if value is not None:
                layer[setting] = _Given(value, f"{file}: {setting.name}", file.parent)
    return layer


def _parsed_yaml(file: Path) -> dict[Any, Any]:
    if not file.is_file():
        return {}
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML itself forbids a key twice; PyYAML would pass over the first one, with all that is under it."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
            seen = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    continue
                if key.value in seen:
                    raise _twice(file, key.value, key.start_mark.line + 1)
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    try:
        content = yaml.load(file.read_text(encoding="utf-8-sig"), Loader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{file}{line}: this is not YAML: {error.problem}.") from error
    except (yaml.YAMLError, ValueError, OSError) as error:
        raise ConfigError(f"{file} cannot be read: {error}.") from error
    if content is not None and not isinstance(content, dict):
        raise ConfigError(f"{file} must be groups of settings, such as `sync:`.", hint="See docs/config.md.")
    return content or {}


def _twice(file: Path, name: str, line: int) -> ConfigError:
    hint = "Put what is under both of them under one, or take one out."
    return ConfigError(f"{file}, line {line}: {name} is there a second time.", hint=hint)


def _unknown(file: Path, name: str, known: Any) -> ConfigError:
    credential = name.rpartition(".")[2] in Credentials.__struct_fields__ or name == "credentials"
    hint = "Credentials belong in .env or the environment." if credential else near(name, known)
    return ConfigError(f"{file}: there is no setting {name}.", hint=hint or f"There are: {', '.join(sorted(known))}.")


def _from_dotenv(file: Path) -> _Layer:
    found = next((each for each in (file.parent / ".env", Path(".env")) if each.is_file()), None)
    if found is None:
        return {}
    try:
        values = _parsed_dotenv(found)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{found} cannot be read: {error}.") from error
    for name in values:
        _refuse_misspelt(found, name)
    return _named({name: value for name, value in values.items() if value}, f"in {found}", found.parent)


def _parsed_dotenv(file: Path) -> dict[str, str | None]:
    """The file's values by name. A `$` in a secret is a `$`: nothing is interpolated.

    A line that cannot be read is refused if it begins with one of our names, and else another program's.
    """
    from dotenv.parser import parse_stream

    values: dict[str, str | None] = {}
    with file.open(encoding="utf-8-sig") as stream:
        for each in parse_stream(stream):
            if each.key is not None:
                values[each.key] = each.value
            elif each.error and (name := _begins_with_ours(each.original.string)):
                line = each.original.line + _blank_lines_before(each.original.string)
                hint = f"Write it as {name}=…, and close every quotation mark that is opened."
                raise ConfigError(f"{file}, line {line}: {name} stands there, and no value can be read.", hint=hint)
    return values


def _begins_with_ours(line: str) -> str | None:
    found = re.match(r"\s*(?:export\s+)?['\"]?(\w+)", line)
    return found[1] if found and found[1] in _BY_ENV else None


def _blank_lines_before(text: str) -> int:
    return text[: len(text) - len(text.lstrip())].count("\n")


def _refuse_misspelt(file: Path, name: str) -> None:
    """Refuse a name that is one of ours but for a slip; other programs' names (`SF_ORG_…`) may stand in the file."""
    from difflib import get_close_matches

    close = get_close_matches(name.upper(), _BY_ENV, n=1, cutoff=0.9)
    if close and name not in _BY_ENV:
        raise ConfigError(f"{file}: there is no setting {name}.", hint=f"Did you mean {close[0]}?")


def _from_environment(environ: Mapping[str, str]) -> _Layer:
    return _named({name: value for name, value in environ.items() if value}, "in the environment", Path())


def _named(values: Mapping[str, object], place: str, folder: Path) -> _Layer:
    known = {_BY_ENV[name]: value for name, value in values.items() if name in _BY_ENV}
    return {setting: _Given(value, f"{setting.env} {place}", folder) for setting, value in known.items()}


def _from_arguments(arguments: Mapping[str, object]) -> _Layer:
    for name in arguments:
        if name not in _BY_ARGUMENT:
            raise ConfigError(f"There is no setting {name}.", hint=near(name, _BY_ARGUMENT))
    given = {_BY_ARGUMENT[name]: value for name, value in arguments.items() if value is not None}
    return {setting: _Given(value, f"the argument {setting.argument}", Path()) for setting, value in given.items()}


# ── From what was written to what holds ──────────────────────────────────────────────────────────────────────────


def _validated(given: _Layer) -> dict[str, Any]:
    values: dict[str, dict[str, object]] = {section: {} for section in SECTIONS}
    types = {section: get_type_hints(kind, include_extras=True) for section, kind in SECTIONS.items()}
    for setting in SETTINGS:
        if setting in given:
            value = _tidied(setting, given[setting])
            try:
                values[setting.section][setting.key] = _converted(value, types[setting.section][setting.key])
            except msgspec.ValidationError:
                raise _bad(setting, given[setting]) from None  # its text repeats the value, which may be a secret
    return {section: kind(**values[section]) for section, kind in SECTIONS.items()}


def _converted(value: object, kind: Any) -> object:
    """The value as the setting's type; a number or a yes may be written as text, as in the environment it must."""
    if kind is bool and isinstance(value, str):
        value = _YES_AND_NO.get(value.lower(), value)
    # A text stays one where it is asked for: "null" is not nothing.
    strict = isinstance(value, str) and str in (kind, *get_args(kind))
    return msgspec.convert(value, kind, strict=strict, dec_hook=_only_paths)


def _only_paths(kind: type, value: object) -> object:
    if isinstance(value, kind):
        return value
    raise ValueError(f"{value!r} is no {kind.__name__}")


_YES_AND_NO: Final = {"yes": True, "on": True, "y": True, "t": True, "no": False, "off": False, "n": False, "f": False}


_TRUE_OR_FALSE: Final = {**_YES_AND_NO, "true": True, "false": False, "1": True, "0": False}


def _tidied(setting: Setting, raw: _Given) -> object:
    """Take off what people write in good faith: a last slash, Lightning's address, an unquoted version, commas."""
    value = raw.value
    if isinstance(value, bool) and setting.key != "enabled":
        value = str(value).lower()  # YAML's `yes`, which would pass as the number 1
    if isinstance(value, str):
        value = value.strip()
    if isinstance(value, str) and setting.section == "credentials":
        _refuse_unfit(raw.where, value, setting.key in _ASCII)
    if setting.key in ("instance_url", "login_url", "events_url"):
        url = org_address(str(value))
        if not is_address(url):
            raise _bad(setting, raw)
        return url
    if setting.key == "api_version":
        text = str(value).removeprefix("v")
        return text if "." in text else f"{text}.0"
    if setting.key == "events" and str(value).lower() in _TRUE_OR_FALSE:
        return _TRUE_OR_FALSE[str(value).lower()]
    if setting.key in ("objects", "refresh_fields", "events"):
        return _names(setting, raw)
    if setting.key == "conflicts":
        return _policies(setting, raw)
    if setting.key == "intervals":
        return _intervals(setting, raw)
    if setting.key == "sinks":
        return _sinks(setting, raw)
    if setting.key in ("path", "jwt_key_file"):
        file = Path(os.path.abspath(raw.folder / Path(str(value)).expanduser()))
        if not str(value) or "\0" in str(value) or (setting.key == "path" and file.is_dir()):
            raise _bad(setting, raw)
        return file
    return value


_ASCII: Final = frozenset(
    {"client_id", "client_secret", "access_token", "refresh_token", "sync_key", "webhook_secrets"}
)
"""Credentials that go into headers and forms as they are."""


def _refuse_unfit(where: str, value: str, ascii_only: bool) -> None:
    """Refuse what no header can carry and no secret has: mostly a copy that was wrapped, or has curly quotes.

    The value is not shown: all but a character of it may be the secret.
    """
    unfit = (at for at, each in enumerate(value, 1) if not each.isprintable() or (ascii_only and not each.isascii()))
    at = next(unfit, None)
    if at is None:
        return
    what = "a line break" if value[at - 1] in "\r\n" else f"the character U+{ord(value[at - 1]):04X}"
    hint = "Copy it again, in one line and without quotation marks of a word processor."
    raise ConfigError(f"{where} cannot be right: it has {what} at position {at} of {len(value)}.", hint=hint)


def _names(setting: Setting, raw: _Given) -> tuple[str, ...]:
    """The names, each once: objects are the same whatever their case."""
    value = raw.value.split(",") if isinstance(raw.value, str) else raw.value
    if not isinstance(value, (list, tuple)) or not value or not all(isinstance(each, str) for each in value):
        raise _bad(setting, raw)  # `- null` or `- no` is no name
    first: dict[str, str] = {}
    for name in (each.strip() for each in value):
        if name:
            first.setdefault(name.casefold(), name)
    return tuple(first.values())


def _policies(setting: Setting, raw: _Given) -> dict[str, str]:
    """One policy for all, or policies by name; in the environment as `ask, Contact=org, Contact.Phone=newest`."""
    value = raw.value
    if isinstance(value, str):
        parts = [each.partition("=") for each in _parts(value)]
        value = {name if equals else DEFAULT: policy if equals else name for name, equals, policy in parts}
    if not isinstance(value, Mapping) or not value:
        raise _bad(setting, raw)
    policies = {str(name).strip(): str(policy).strip().casefold() for name, policy in value.items()}
    for name, policy in policies.items():
        if policy not in POLICIES and name == DEFAULT:
            raise _bad(setting, raw)
        if policy not in POLICIES:
            raise ConfigError(
                f"{raw.where}: the policy of {name} must be one of {', '.join(POLICIES)}, not {policy!r}.",
                hint="See docs/config.md.",
            )
    return {name.casefold(): policy for name, policy in policies.items()}


def _intervals(setting: Setting, raw: _Given) -> dict[str, object]:
    """Minutes by object; in the environment as `Account=60, Contact=5`."""
    value = raw.value
    if isinstance(value, str):
        value = {name.strip(): minutes.strip() for name, _, minutes in (each.partition("=") for each in _parts(value))}
    if not isinstance(value, Mapping):
        raise _bad(setting, raw)
    return {str(name).casefold(): minutes for name, minutes in value.items()}


def _parts(text: str) -> list[str]:
    return [each for each in text.split(",") if each.strip()]


def _sinks(setting: Setting, raw: _Given) -> tuple[SinkSettings, ...]:
    """The sinks; in the environment as JSON."""
    try:
        value = msgspec.json.decode(raw.value) if isinstance(raw.value, str) else raw.value
        return sinks(value, raw.folder)
    except BadSink as error:
        raise ConfigError(f"{raw.where} {error}.", hint="See docs/signals.md.") from error
    except msgspec.DecodeError:
        raise _bad(setting, raw) from None


def _bad(setting: Setting, raw: _Given) -> ConfigError:
    secret = setting.section == "credentials" or "@" in str(raw.value)  # an address can hold a password
    shown = "" if secret else f", not {raw.value!r}"
    return ConfigError(f"{raw.where} must be {setting.means}{shown}.", hint="See docs/config.md.")
