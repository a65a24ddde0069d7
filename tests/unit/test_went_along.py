"""What a refusal to bring a record back says of the one with which it went: in memory and in a file."""

import pytest
from msgspec.structs import replace

from salesforce_sync.models.outbox import Wanted
from salesforce_sync.models.outcome import Conflicted, Rejected
from salesforce_sync.sync.went_along import naming_deleted_master
from salesforce_sync.testing import make_field, make_schema
from tests.contract.edits import arrive, row
from tests.contract.stores import id_of

ACCOUNT = replace(make_schema("Account", Name="string"), takes_along=(("Order", "AccountId"),))
ORDER = make_schema("Order", make_field("AccountId", "reference", referenceTo=["Account"]))
ITEM = make_schema(
    "OrderItem",
    make_field("OrderId", "reference", referenceTo=["Order"], cascadeDelete=True),
    make_field("OriginalId", "reference", referenceTo=["OrderItem"], cascadeDelete=True),
)
MASTER, LIVING, WITH_IT, ALONE, LOOSE, PART, ROUND = map(id_of, range(1, 8))


@pytest.fixture
def replica(store):
    for each in (ACCOUNT, ORDER, ITEM):
        store.adopt(each)
    arrive(store, ACCOUNT, row(ACCOUNT, MASTER, Name="Master", deleted=True), row(ACCOUNT, LIVING, Name="Living"))
    below = {WITH_IT: MASTER, ALONE: LIVING, LOOSE: None}
    arrive(store, ORDER, *(row(ORDER, key, AccountId=account, deleted=True) for key, account in below.items()))
    arrive(
        store,
        ITEM,
        row(ITEM, PART, OrderId=WITH_IT, deleted=True),
        row(ITEM, ROUND, OriginalId=ROUND, deleted=True),
    )
    return store


def refused(replica, object_name, record_id, code="UNDELETE_FAILED", message="Entity is not in the recycle bin"):
    replica.undelete(object_name, record_id)
    (change,) = replica.changes(Wanted(records=[record_id]))
    return Rejected(change, code, message)


@pytest.mark.parametrize(("object_name", "record_id"), [("Order", WITH_IT), ("OrderItem", PART)])
def test_a_refusal_names_the_deleted_record_that_took_it_all_along(replica, object_name, record_id):
    told = naming_deleted_master(replica, refused(replica, object_name, record_id))

    with_it = f"If it went with Account {MASTER}, which is deleted, it comes back with that one."
    assert told.message == f"Entity is not in the recycle bin. {with_it}"


@pytest.mark.parametrize(
    ("object_name", "record_id"), [("Order", ALONE), ("Order", LOOSE), ("OrderItem", ROUND), ("Account", MASTER)]
)
def test_what_went_with_nothing_is_told_as_it_is(replica, object_name, record_id):
    rejected = refused(replica, object_name, record_id)

    assert naming_deleted_master(replica, rejected) is rejected


@pytest.mark.parametrize(("said", "before"), [("", ""), ("No.", "No. ")])
def test_what_the_org_said_itself_stays_a_sentence(replica, said, before):
    told = naming_deleted_master(replica, refused(replica, "Order", WITH_IT, message=said))

    assert told.message == f"{before}If it went with Account {MASTER}, which is deleted, it comes back with that one."


def test_what_is_brought_back_too_is_not_named(replica):
    replica.undelete("Account", MASTER)
    rejected = refused(replica, "Order", WITH_IT)

    assert naming_deleted_master(replica, rejected) is rejected


def test_other_outcomes_stay_as_they_are(replica):
    rejected = refused(replica, "Order", WITH_IT, "SOME_RULE")
    others = rejected, Conflicted(rejected.change)

    assert tuple(naming_deleted_master(replica, each) for each in others) == others
