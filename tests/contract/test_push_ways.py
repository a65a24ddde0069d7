"""A push to a simulated org, and somebody who writes there between the last look and the write: told, by every way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from salesforce_sync.api.write_route import Way
from salesforce_sync.models.inbox import Kind, Resolution, Side
from salesforce_sync.models.push import Push
from salesforce_sync.models.run import RunState
from salesforce_sync.signals import Bus
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.testing import FrozenClock
from simorg.org import SimOrg
from tests.contract.writing import WIDGET, SocketWriteWorld


class StoreBeforeTheCall:
    """Another store, at whose last word before a call somebody does something in the org."""

    def __init__(self, store: SqliteStore, meanwhile: Callable[[], object]) -> None:
        self._store, self._meanwhile = store, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def sending(self, *args: Any) -> None:
        self._store.sending(*args)
        meanwhile, self._meanwhile = self._meanwhile, lambda: None
        meanwhile()


class Rig:
    """A replica of an org with a widget, pushed to by one way."""

    def __init__(self, folder: Path, way: Way) -> None:
        self.world = SocketWriteWorld(folder, way=way)
        self.store = SqliteStore(folder / "replica.db", FrozenClock())
        self.widget = self.world.add(Text__c="was", Long__c="before")
        self.engine().run([WIDGET])

    def engine(self, store: Any = None) -> SyncEngine:
        return SyncEngine(self.world.org, store or self.store, FrozenClock(), Bus())

    def push(self, meanwhile: Callable[[], object] = lambda: None) -> Push:
        return self.engine(StoreBeforeTheCall(self.store, meanwhile)).push()

    def edit_there(self, record_id: str = "", **values: object) -> None:
        """Somebody edits the widget, in the very second in which it was made: no stamp tells."""
        self.world.sim.change(record_id or self.widget, **values)

    def there(self) -> dict[str, Any]:
        row = self.world.sim.row(self.widget)
        assert row is not None
        return dict(row)

    def close(self) -> None:
        self.store.close()
        self.world.close()


@pytest.fixture(params=[Way.PARTS, Way.COLLECTIONS, Way.BULK])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path, request.param)
    yield made
    made.close()


def test_what_a_deletion_takes_of_somebodys_edit_is_told_and_can_be_brought_back(rig: Rig) -> None:
    rig.store.delete(WIDGET, rig.widget)

    push = rig.push(lambda: rig.edit_there(Text__c="theirs"))

    assert (push.state, push.overwrote) == (RunState.PARTIAL, 1)
    assert [(each.outcome, each.problem and each.problem.code) for each in push.changes] == [
        ("applied", "DELETED_OVER")
    ]
    (item,) = rig.store.inbox()
    assert item.kind is Kind.DELETED_OVER
    assert [(each.field, each.base, each.org) for each in item.conflicts] == [("Text__c", "was", "theirs")]

    rig.store.resolve(item.number, Resolution(Side.ORG))
    again = rig.push()

    assert (again.complete, rig.store.changes(), rig.store.inbox()) == (True, (), ())
    assert rig.store.get(WIDGET, rig.widget) is not None
    assert rig.there()["Text__c"] == "theirs"


def test_a_deletion_of_what_somebody_had_edited_and_deleted_is_complete(rig: Rig) -> None:
    rig.store.delete(WIDGET, rig.widget)
    rig.edit_there(Text__c="theirs")
    rig.world.sim.remove(rig.widget)

    push = rig.push()

    assert (push.state, rig.store.inbox(), rig.store.changes()) == (RunState.COMPLETE, (), ())


def test_a_deletion_between_which_and_the_look_nobody_wrote_is_complete(rig: Rig) -> None:
    rig.store.delete(WIDGET, rig.widget)

    push = rig.push()

    assert (push.state, rig.store.inbox()) == (RunState.COMPLETE, ())


@pytest.mark.parametrize("doing", ["create", "update"])
def test_a_record_that_automation_hides_is_told_and_not_made_again(rig: Rig, doing: str) -> None:
    def hide(org: SimOrg, operation: str, row: dict[str, Any], old: dict[str, Any] | None) -> None:
        org.hide_record(row["Id"])

    rig.world.sim.rules.on_save(WIDGET, "after", hide)
    if doing == "create":
        rig.store.create(WIDGET, {"Text__c": "secret", "Account__c": rig.world.account})
    else:
        rig.store.update(WIDGET, rig.widget, {"Text__c": "secret"})

    push = rig.push()

    assert (push.state, push.hidden) == (RunState.PARTIAL, 1)
    (item,) = rig.store.inbox()
    assert (item.kind, item.operation.value) == (Kind.NOT_SHOWN, doing)
    assert rig.store.get(WIDGET, item.record_id) is None
    written = rig.world.sim.count(WIDGET)
    assert rig.push().total == 0
    assert (rig.world.sim.count(WIDGET), rig.store.changes()) == (written, ())

    rig.world.sim.show_record(item.record_id)
    rig.engine().verify([WIDGET])

    assert rig.store.inbox() == ()
    assert rig.store.get(WIDGET, item.record_id) is not None
