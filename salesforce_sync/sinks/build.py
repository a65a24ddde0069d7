"""The sinks that the settings name, with what each needs."""

from __future__ import annotations

from collections.abc import Callable

from salesforce_sync.config import Config
from salesforce_sync.errors import ConfigError
from salesforce_sync.signals import KINDS
from salesforce_sync.sink_settings import SinkSettings
from salesforce_sync.sinks.delivery import Post
from salesforce_sync.sinks.envelope import Envelope
from salesforce_sync.sinks.inbound import Reply
from salesforce_sync.sinks.lines import JsonLines, LogLines
from salesforce_sync.sinks.sink import Sink, Wanted

_MB = 1024 * 1024


def build(config: Config, replica: str, ask: Callable[[bytes], Reply]) -> tuple[Post, ...]:
    """One `Post` a sink; none if signals are switched off. `ConfigError` names what one lacks."""
    if not config.signals.enabled:
        return ()
    return tuple(Post(each.name, _sink(each, config, replica, ask), _wanted(each)) for each in config.signals.sinks)


def _wanted(settings: SinkSettings) -> Wanted:
    """What it wants; a name that is none would never be heard, and nobody would know why."""
    unknown = [name for name in settings.signals if name not in KINDS and name != "*"]
    if unknown:
        raise ConfigError(
            f"signals.sinks: {settings.name} wants {', '.join(unknown)}, and there is no such signal.",
            hint=f"There are {', '.join(KINDS)}, and * for all.",
        )
    return Wanted(settings.signals)


def _sink(settings: SinkSettings, config: Config, replica: str, ask: Callable[[bytes], Reply]) -> Sink:
    envelope = Envelope(replica, config.signals.source, config.signals.target, settings.format)
    match settings.type:
        case "log":
            return LogLines(envelope)
        case "jsonl":
            assert settings.path is not None  # the settings give every file one
            return JsonLines(settings.path, envelope, settings.max_mb * _MB)
        case "webhook":
            # Imported here: nobody else needs an HTTP client and TLS for it.
            from salesforce_sync.sinks.signing import secrets_for
            from salesforce_sync.sinks.webhook import Webhook

            keys = secrets_for(settings.name, config.credentials.webhook_secrets)
            return Webhook(settings, keys, envelope)
        case "mqtt":
            from salesforce_sync.sinks.mqtt import Mqtt

            password = config.credentials.mqtt_password
            return Mqtt(settings, password, envelope, ask if settings.inbound else None)
