"""What may be set: each setting's place in config.yaml, its environment name, its bounds and its default."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, get_args
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from salesforce_sync.models.hiding import Hiding
from salesforce_sync.sink_settings import SinkSettings


def is_address(text: str) -> bool:
    """Whether this is a bare https address; plain http is good only to this machine, where nobody listens in."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    bare = re.fullmatch(_BARE, text, _LETTERS) is not None
    return bool(host) and bare and (parts.scheme == "https" or _is_loopback(host or ""))


_BARE: Final = r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d+)?/?"
_LETTERS: Final = re.ASCII | re.IGNORECASE


def is_by_domain(address: str) -> bool:
    """Whether an address is https to a domain of the internet, and not to a host of this machine or its network."""
    parts = urlsplit(address)
    return parts.scheme == "https" and re.fullmatch(_DOMAIN, (parts.hostname or "").rstrip("."), re.ASCII) is not None


_DOMAIN: Final = r"(?:[a-z0-9-]+\.)+(?!local|internal)[a-z][a-z0-9-]*"
"""Two labels at least, the last of which is no number, as it is in every way to write an address, and no network's
own."""


def org_address(text: str) -> str:
    """An org's address without a last slash; that of its API, where somebody has copied that of its pages.

    A browser shows `acme.lightning.force.com`, or in Setup `acme.my.salesforce-setup.com`; the API of that org is at
    `acme.my.salesforce.com`.
    """
    pages = re.fullmatch(_PAGES, text, _LETTERS)
    return f"{pages[1]}.my.salesforce.com" if pages else text.rstrip("/")


_PAGES: Final = r"(https://[a-z0-9.-]+)\.(?:lightning\.force|my\.salesforce-setup)\.com(?:[/?#].*)?"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


Version = Annotated[str, Meta(pattern=r"\A(4[7-9]|[5-9]\d|[1-9]\d\d)\.0\Z")]
"""From 47.0 on: Bulk API 2.0 queries came with that."""

ObjectName = Annotated[str, Meta(pattern=r"\A[A-Za-z][A-Za-z0-9_]*\Z")]
FieldName = Annotated[str, Meta(pattern=r"\A[A-Za-z][A-Za-z0-9_]*\.[A-Za-z][A-Za-z0-9_]*\Z")]
Disputed = Annotated[str, Meta(pattern=r"\A[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)?\Z")]
Minutes = Annotated[int, Meta(ge=1, le=10_080)]
PolicyName = Literal["ask", "org", "local", "newest"]
POLICIES: Final = get_args(PolicyName)

DEFAULT: Final = "default"
"""Stands in `sync.conflicts` for every object and field that is not named there."""


class SalesforceSettings(Struct, frozen=True):
    """Which org, in which version of its API, and where it tells its change events (Pub/Sub API).

    The addresses have no slash at their end. `production_writes`: whether a production org may be written to without
    having been asked for.
    """

    instance_url: str | None = None
    api_version: Version = "58.0"
    production_writes: bool = False
    events_url: str = "https://api.pubsub.salesforce.com:7443"


class SyncSettings(Struct, frozen=True):
    """What is synced, how often, within which bounds. An interval of 0 hours means never by itself.

    `events`: whether change events are followed, of all objects that are synced or of those that are named here.
    `conflicts` says whose value holds where both sides have changed a field: `default`, `object` or `object.field` in
    lower case → policy. `intervals` are the daemon's, `object` in lower case → minutes.
    """

    interval_minutes: Minutes = 15
    intervals: Mapping[ObjectName, Minutes] = msgspec.field(default_factory=dict)
    batch_size: Annotated[int, Meta(ge=1, le=2_000)] = 200
    objects: Annotated[tuple[ObjectName, ...], Meta(min_length=1)] = ("Contact", "Lead", "Account", "Opportunity")
    overlap_minutes: Annotated[int, Meta(ge=0, le=1_440)] = 10
    verify_hours: Annotated[int, Meta(ge=0, le=8_760)] = 24
    refresh_hours: Annotated[int, Meta(ge=0, le=8_760)] = 6
    refresh_fields: tuple[FieldName, ...] = ()
    max_loss_percent: Annotated[int, Meta(ge=0, le=100)] = 20
    api_calls_per_day: Annotated[int, Meta(ge=1)] = 15_000
    conflicts: Mapping[Disputed, PolicyName] = msgspec.field(default_factory=lambda: {DEFAULT: "ask"})
    history_days: Annotated[int, Meta(ge=0, le=36_500)] = 90
    history_rows: Annotated[int, Meta(ge=0)] = 50_000
    events: bool | tuple[ObjectName, ...] = False

    def minutes(self, object_name: str) -> int:
        """How often the daemon syncs this object; an account, which changes seldom, not more often than hourly."""
        named = self.intervals.get(object_name.casefold())
        if named is not None:
            return named
        return max(self.interval_minutes, ACCOUNT_MINUTES if object_name.casefold() == "account" else 0)


ACCOUNT_MINUTES: Final = 60


class StorageSettings(Struct, frozen=True):
    """Where the replica is. `path` is absolute."""

    type: Literal["sqlite"] = "sqlite"
    path: Path = Path("data/salesforce.db")


class WorkbookSettings(Struct, frozen=True):
    """Where the workbook goes that `export` writes (`path` is absolute), and the most that one to import may be:
    megabytes of the file, megabytes that it unpacks to, and how many times more one of its parts unpacks to."""

    path: Path = Path("Revenue_Cloud_Data.xlsx")
    max_mb: Annotated[int, Meta(ge=1)] = 200
    max_expanded_mb: Annotated[int, Meta(ge=1)] = 4_000
    max_ratio: Annotated[int, Meta(ge=1)] = 300


class SignalSettings(Struct, frozen=True):
    """Whether signals are told, from whom to whom their line is, where they go, and how long they wait for that."""

    enabled: bool = True
    source: Annotated[str, Meta(pattern=r"\A\S{1,40}\Z")] = "FND"
    target: Annotated[str, Meta(pattern=r"\A\S{1,40}\Z")] = "OS"
    sinks: tuple[SinkSettings, ...] = ()
    keep_days: Annotated[int, Meta(ge=1, le=3_650)] = 30
    keep_rows: Annotated[int, Meta(ge=1_000)] = 100_000


class Credentials(Hiding, frozen=True):
    """What was given to log in with, and to sign with; never from config.yaml. Secrets do not show in `repr`."""

    hidden: ClassVar[frozenset[str]] = frozenset(
        ("client_secret", "access_token", "refresh_token", "sync_key")
    ) | frozenset(("webhook_secrets", "mqtt_password", "workbook_password"))

    client_id: str | None = None
    client_secret: str | None = None
    access_token: str | None = None
    refresh_token: str | None = None
    username: str | None = None
    jwt_key_file: Path | None = None
    login_url: str | None = None
    sync_key: str | None = None
    webhook_secrets: str | None = None
    mqtt_password: str | None = None
    workbook_password: str | None = None


SECTIONS: Final = {
    "salesforce": SalesforceSettings,
    "sync": SyncSettings,
    "storage": StorageSettings,
    "workbook": WorkbookSettings,
    "signals": SignalSettings,
    "credentials": Credentials,
}


class Setting(Struct, frozen=True):
    """One setting: its place in config.yaml, its environment name, and what its value has to be, for a person."""

    section: str
    key: str
    env: str
    means: str

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def argument(self) -> str:
        """Its name as an argument of `Config.load`."""
        return self.env.removeprefix("SF_").lower()


_ADDRESS = "an https address without a path, such as https://yourdomain.my.salesforce.com (http only to this machine)"
_CONFLICTS = "ask, org, local or newest, or these by name: default: ask, Contact: org, Contact.Phone: newest"

_INTERVALS = "minutes by object, such as Account: 60, Contact: 5"
_SINKS = "a list of sinks, each with a type: log, jsonl, webhook or mqtt"

SETTINGS: Final = (
    Setting("salesforce", "instance_url", "SF_INSTANCE_URL", _ADDRESS),
    Setting("salesforce", "api_version", "SF_API_VERSION", 'an API version from "47.0" on, such as "58.0"'),
    Setting("salesforce", "production_writes", "SF_PRODUCTION_WRITES", "true or false"),
    Setting("salesforce", "events_url", "SF_EVENTS_URL", _ADDRESS),
    Setting("sync", "interval_minutes", "SF_SYNC_INTERVAL_MINUTES", "a whole number of minutes from 1 to 10080"),
    Setting("sync", "intervals", "SF_SYNC_INTERVALS", _INTERVALS),
    Setting("sync", "batch_size", "SF_SYNC_BATCH_SIZE", "a whole number from 1 to 2000"),
    Setting("sync", "objects", "SF_SYNC_OBJECTS", "a list of at least one object's API name, such as Contact"),
    Setting("sync", "overlap_minutes", "SF_SYNC_OVERLAP_MINUTES", "a whole number of minutes from 0 to 1440"),
    Setting("sync", "verify_hours", "SF_SYNC_VERIFY_HOURS", "a whole number of hours from 0 (never) to 8760"),
    Setting("sync", "refresh_hours", "SF_SYNC_REFRESH_HOURS", "a whole number of hours from 0 (never) to 8760"),
    Setting("sync", "refresh_fields", "SF_SYNC_REFRESH_FIELDS", "a list of fields, such as Account.Score__c"),
    Setting("sync", "max_loss_percent", "SF_SYNC_MAX_LOSS_PERCENT", "a whole number from 0 to 100"),
    Setting("sync", "api_calls_per_day", "SF_SYNC_API_CALLS_PER_DAY", "a whole number of at least 1"),
    Setting("sync", "conflicts", "SF_SYNC_CONFLICTS", _CONFLICTS),
    Setting("sync", "history_days", "SF_SYNC_HISTORY_DAYS", "a whole number of days from 0 (none) to 36500"),
    Setting("sync", "history_rows", "SF_SYNC_HISTORY_ROWS", "a whole number from 0 (none)"),
    Setting("sync", "events", "SF_SYNC_EVENTS", "true, false or a list of objects, such as Contact"),
    Setting("storage", "type", "SF_STORAGE_TYPE", "sqlite"),
    Setting("storage", "path", "SF_STORAGE_PATH", "the path of a file"),
    Setting("workbook", "path", "SF_WORKBOOK_PATH", "the path of a file"),
    Setting("workbook", "max_mb", "SF_WORKBOOK_MAX_MB", "a whole number of megabytes from 1"),
    Setting("workbook", "max_expanded_mb", "SF_WORKBOOK_MAX_EXPANDED_MB", "a whole number of megabytes from 1"),
    Setting("workbook", "max_ratio", "SF_WORKBOOK_MAX_RATIO", "a whole number from 1"),
    Setting("signals", "enabled", "SF_SIGNALS_ENABLED", "true or false"),
    Setting("signals", "source", "SF_SIGNALS_SOURCE", "one word of at most 40 characters"),
    Setting("signals", "target", "SF_SIGNALS_TARGET", "one word of at most 40 characters"),
    Setting("signals", "sinks", "SF_SIGNALS_SINKS", _SINKS),
    Setting("signals", "keep_days", "SF_SIGNALS_KEEP_DAYS", "a whole number of days from 1 to 3650"),
    Setting("signals", "keep_rows", "SF_SIGNALS_KEEP_ROWS", "a whole number of at least 1000"),
    Setting("credentials", "client_id", "SF_CLIENT_ID", "a text"),
    Setting("credentials", "client_secret", "SF_CLIENT_SECRET", "a text"),
    Setting("credentials", "access_token", "SF_ACCESS_TOKEN", "a text"),
    Setting("credentials", "refresh_token", "SF_REFRESH_TOKEN", "a text"),
    Setting("credentials", "username", "SF_USERNAME", "a text"),
    Setting("credentials", "jwt_key_file", "SF_JWT_KEY_FILE", "the path of a private key"),
    Setting("credentials", "login_url", "SF_LOGIN_URL", _ADDRESS),
    Setting("credentials", "sync_key", "SF_SYNC_KEY", "a text"),
    Setting("credentials", "webhook_secrets", "SF_WEBHOOK_SECRETS", "secrets, as whsec_... or sink:whsec_..."),
    Setting("credentials", "mqtt_password", "SF_MQTT_PASSWORD", "a text"),
    Setting("credentials", "workbook_password", "SF_WORKBOOK_PASSWORD", "a text"),
)
