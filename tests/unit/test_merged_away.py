"""What a refusal says of a record that was merged away: in memory and in a file."""

import pytest

from salesforce_sync.models.outbox import Wanted
from salesforce_sync.models.outcome import Conflicted, Rejected
from salesforce_sync.sync.merged_away import naming_masters
from salesforce_sync.testing import make_field, make_schema
from tests.contract.edits import arrive, row
from tests.contract.stores import id_of

ACCOUNT = make_schema(
    "Account",
    make_field("MasterRecordId", "reference", referenceTo=["Account"], createable=False, updateable=False),
    Name="string",
)
CONTACT = make_schema(
    "Contact",
    make_field("AccountId", "reference", referenceTo=["Account"]),
    make_field("ReportsToId", "reference", referenceTo=["Contact"]),
    LastName="string",
)
LOSER, BETWEEN, MASTER, OTHER = map(id_of, (1, 2, 3, 4))


@pytest.fixture
def replica(store):
    store.adopt(ACCOUNT)
    store.adopt(CONTACT)
    arrive(
        store,
        ACCOUNT,
        row(ACCOUNT, LOSER, Name="Loser", IsDeleted=True, MasterRecordId=BETWEEN),
        row(ACCOUNT, BETWEEN, Name="Between", IsDeleted=True, MasterRecordId=MASTER),
        row(ACCOUNT, MASTER, Name="Master"),
        row(ACCOUNT, OTHER, Name="Other", IsDeleted=True),
    )
    return store


def change_of(replica, **values):
    local = replica.create("Contact", {"LastName": "Doe", **values})
    (change,) = replica.changes(Wanted(records=[local]))
    return change


@pytest.mark.parametrize("code", ["ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"])
@pytest.mark.parametrize("gone", [LOSER, BETWEEN])
def test_a_refusal_says_where_the_record_went(replica, code, gone):
    refused = Rejected(change_of(replica, AccountId=gone), code, "entity is deleted")

    told = naming_masters(replica, refused)

    assert told.message == f"entity is deleted AccountId: Account {gone} was merged into {MASTER}."


@pytest.mark.parametrize("parent", [OTHER, MASTER, id_of(9), None])
def test_what_was_merged_into_nothing_is_told_as_it_is(replica, parent):
    refused = Rejected(change_of(replica, AccountId=parent), "ENTITY_IS_DELETED", "entity is deleted")

    assert naming_masters(replica, refused) is refused


def test_other_outcomes_stay_as_they_are(replica):
    change = change_of(replica, AccountId=LOSER)
    others = Rejected(change, "SOME_RULE", "No."), Conflicted(change)

    assert tuple(naming_masters(replica, each) for each in others) == others


def test_two_records_that_each_name_the_other_as_their_master_end_the_search(replica):
    arrive(
        replica,
        ACCOUNT,
        row(ACCOUNT, id_of(5), Name="Five", IsDeleted=True, MasterRecordId=id_of(6)),
        row(ACCOUNT, id_of(6), Name="Six", IsDeleted=True, MasterRecordId=id_of(5)),
    )
    refused = Rejected(change_of(replica, AccountId=id_of(5)), "ENTITY_IS_DELETED", "gone")

    assert naming_masters(replica, refused).message.endswith(f"was merged into {id_of(6)}.")
