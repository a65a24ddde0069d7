"""What Prometheus reads: rows, calls, queues, and how old everything is. Asked for each time, kept nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from salesforce_sync.app import Status
from salesforce_sync.web.replicas import Replica


def measured(replicas: Iterable[Replica]) -> tuple[bytes, str]:
    """The text, and its media type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Reading([(each.id, each.sync.status()) for each in replicas], datetime.now(UTC)))
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Reading(Struct, frozen=True, eq=False):
    """All replicas at one moment. Implements prometheus-client's Collector."""

    statuses: Sequence[tuple[str, Status]]
    now: datetime

    def collect(self) -> Iterator[Metric]:
        yield from self._queues()
        yield from self._calls()
        yield from self._objects()

    def _queues(self) -> Iterator[Metric]:
        outbox = _gauge("outbox_records", "Records with edits that the org does not have", "connection")
        inbox = _gauge("inbox_items", "Items that wait for a decision", "connection")
        for connection, status in self.statuses:
            outbox.add_metric([connection], status.outbox)
            inbox.add_metric([connection], status.inbox)
        yield outbox
        yield inbox

    def _calls(self) -> Iterator[Metric]:
        used = _gauge("api_calls_used", "API calls of the last 24 hours, as the org last told", "connection")
        left = _gauge("api_calls_left", "API calls that syncs may still use", "connection")
        ceiling = _gauge("api_calls_ceiling", "API calls at which we stop", "connection")
        for connection, budget in ((connection, status.budget) for connection, status in self.statuses):
            _add_known(used, connection, budget.used)
            _add_known(left, connection, budget.left)
            _add_known(ceiling, connection, budget.ceiling)
        yield used
        yield left
        yield ceiling

    def _objects(self) -> Iterator[Metric]:
        labels = "connection", "object"
        rows = _gauge("rows", "Live rows in the replica", *labels)
        tombstones = _gauge("tombstones", "Deleted records that are kept", *labels)
        age = _gauge("age_seconds", "Since the last complete sync", *labels)
        proof = _gauge("proof_age_seconds", "Since the object was last compared with the org", *labels)
        run = _gauge("last_run_seconds", "How long the last run took", *labels)
        complete = _gauge("last_run_complete", "1 if the last run was complete", *labels)
        for connection, each in ((connection, each) for connection, status in self.statuses for each in status.objects):
            names = [connection, each.object_name]
            rows.add_metric(names, each.rows)
            tombstones.add_metric(names, each.tombstones)
            if each.last_complete is not None:
                age.add_metric(names, self._since(each.last_complete))
            if each.proof is not None:
                proof.add_metric(names, self._since(each.proof.at))
            if each.last_run is not None:
                run.add_metric(names, each.last_run.seconds)
                complete.add_metric(names, each.last_run.state == "complete")
        yield from (rows, tombstones, age, proof, run, complete)

    def _since(self, moment: datetime) -> float:
        return max(0.0, (self.now - moment).total_seconds())


def _gauge(name: str, means: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"salesforce_sync_{name}", means, labels=labels)


def _add_known(gauge: GaugeMetricFamily, connection: str, value: int | None) -> None:
    if value is not None:
        gauge.add_metric([connection], value)
