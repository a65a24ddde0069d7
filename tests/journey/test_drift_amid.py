"""Fields that change between the describe and the rows of the same sync."""

import pytest

from salesforce_sync.app import SFSync
from salesforce_sync.config import Config
from salesforce_sync.models.proof import Cause
from simorg.faults import Fault, Faults


class Amid(Faults):
    """Lets something happen, once, when the nth query of a kind comes."""

    def __init__(self, act, query="/query?", nth=1) -> None:
        super().__init__()
        self._act = act
        self._query = query
        self._left = nth

    def for_request(self, method: str, target: str) -> list[Fault]:
        if self._query in target:
            self._left -= 1
            if self._left == 0:
                self._act()
        return super().for_request(method, target)


def another_type(simorg):
    simorg.remove_field("Contact", "Flag__c")
    simorg.add_field("Contact", "Flag__c", "string 80")
    for (record_id,) in simorg.database.rows('SELECT "Id" FROM "Contact"'):
        simorg.change(record_id, Flag__c="yes")
    return "Flag__c", "yes"


def other_capitals(simorg):
    simorg.rename_field("Contact", "Flag__c", "FLAG__c")
    return "FLAG__c", 0


@pytest.mark.parametrize("drift", [another_type, other_capitals])
def test_a_sync_goes_on_with_what_a_field_has_become(user, simorg, drift):
    simorg.add_field("Contact", "Flag__c", "boolean")
    became = []
    simorg.faults = Amid(lambda: became.append(drift(simorg)))

    ran = user("sync", "Contact")

    assert ran.code == 0, ran.err
    ((name, value),) = became
    rows = user("query", "--json", f"SELECT DISTINCT {name} FROM Contact").json["rows"]
    assert rows == [{name: value}]


BY_ID = "WHERE%20Id%20IN"


def test_a_verify_repairs_without_a_field_that_goes_meanwhile(user, simorg):
    simorg.add_field("Contact", "Flag__c", "boolean")
    ((missing,),) = simorg.database.rows('SELECT "Id" FROM "Contact" LIMIT 1')
    simorg.hide_record(missing)
    user("sync", "Contact")
    simorg.clock.advance(3600)
    user("sync", "Contact")
    simorg.show_record(missing)
    simorg.faults = Amid(lambda: simorg.remove_field("Contact", "Flag__c"), BY_ID)

    ran = user("verify", "Contact")

    assert ran.code == 0, ran.err
    assert f"Contact {simorg.count('Contact')} = {simorg.count('Contact')}, proved" in ran.out


@pytest.fixture
def differing(user, simorg):
    """Contacts of which one is missing here, and six are no longer visible; a verify asks for each by its id."""
    simorg.add_field("Contact", "Flag__c", "boolean")
    missing, *gone = [each for (each,) in simorg.database.rows('SELECT "Id" FROM "Contact" LIMIT 7')]
    simorg.hide_record(missing)
    user("sync", "Contact")
    simorg.clock.advance(3600)
    user("sync", "Contact")
    simorg.show_record(missing)
    for each in gone:
        simorg.hide_record(each)


def drifting_at(simorg, nth):
    """The field goes as the org is asked for records by their ids for the nth time."""
    simorg.faults = Amid(lambda: simorg.remove_field("Contact", "Flag__c"), BY_ID, nth)


def test_a_proof_has_what_was_repaired_before_a_field_went(user, simorg, differing):
    drifting_at(simorg, 2)

    ran = user("verify", "Contact", "--json")

    assert ran.code == 0, ran.err
    (proof,) = ran.json["proofs"]
    assert proof["repaired"] == {"late": 1, "no longer visible": 6}


def test_a_proof_has_what_was_removed_before_a_field_went(user, simorg, differing, monkeypatch):
    monkeypatch.setattr("salesforce_sync.sync.verify.MOST_REPAIRS", 2)
    drifting_at(simorg, 4)

    with SFSync(Config.load(user.folder / "config.yaml")) as sync:
        run, (proof,) = sync.verify("Contact")

    assert dict(proof.repaired) == {Cause.LATE: 1, Cause.HIDDEN: 6}
    assert run.objects[0].counts.deleted == 6


def test_what_was_removed_before_a_field_went_counts_towards_what_may_go(user, simorg, differing, monkeypatch):
    monkeypatch.setattr("salesforce_sync.sync.verify.MOST_REPAIRS", 2)
    more = [each for (each,) in simorg.database.rows('SELECT "Id" FROM "Contact" LIMIT 4 OFFSET 20')]

    def drift():
        simorg.remove_field("Contact", "Flag__c")
        for each in more:
            simorg.hide_record(each)

    simorg.faults = Amid(drift, BY_ID, 4)

    with SFSync(Config.load(user.folder / "config.yaml")) as sync:
        (record,) = sync.verify("Contact")[0].objects

    assert record.problem.message == "10 of 40 rows of Contact are gone in the org, or no longer visible."


def test_rows_that_refer_to_what_is_deleted_are_read_without_a_field_that_goes_meanwhile(user, simorg):
    boss = simorg.add("Contact", LastName="Boss")
    simorg.add_field("Contact", "Flag__c", "boolean")
    simorg.rules.move_stamp_of_nulled_lookups = False
    contact = simorg.add("Contact", LastName="Roe", ReportsToId=boss)
    user("sync", "Contact")
    simorg.clock.advance(3600)
    simorg.add("Contact", LastName="Poe")
    user("sync", "Contact")
    simorg.remove(boss)
    simorg.faults = Amid(lambda: simorg.remove_field("Contact", "Flag__c"), BY_ID)

    ran = user("sync", "Contact")

    assert ran.code == 0, ran.err
    rows = user("query", "--json", f"SELECT ReportsToId FROM Contact WHERE Id = '{contact}'").json["rows"]
    assert rows == [{"ReportsToId": None}]


def test_formulas_are_read_again_without_one_that_goes_meanwhile(user, simorg):
    simorg.add_field("Contact", "Flag__c", {"is": "string 80", "sql": '"LastName"'})
    simorg.add_field("Contact", "Shout__c", {"is": "string 80", "sql": 'upper("LastName")'})
    user.settle(simorg.url, objects="Contact", more="  refresh_hours: 0\n")
    user("sync")
    simorg.faults = Amid(lambda: simorg.remove_field("Contact", "Flag__c"), "Shout__c%20FROM%20Contact")

    ran = user("verify")

    assert ran.code == 0, ran.err
    assert "proved" in ran.out


def test_a_new_field_that_is_renamed_while_its_column_is_filled_is_filled(user, simorg):
    user("sync", "Contact")
    simorg.add_field("Contact", "Flag__c", "boolean")
    simorg.faults = Amid(lambda: other_capitals(simorg), "Id%2C%20Flag__c%20FROM%20Contact")

    ran = user("sync", "Contact")

    assert ran.code == 0, ran.err
    assert user("query", "--json", "SELECT DISTINCT FLAG__c FROM Contact").json["rows"] == [{"FLAG__c": 0}]


def test_a_value_that_no_describe_explains_fails_and_says_what_to_do(user, simorg):
    simorg.add_field("Contact", "Size__c", "double 18,2")
    records = [{"attributes": {"type": "Contact"}, "Id": "0035e0000000001AAA"}]
    body = {"totalSize": 1, "done": True, "records": records}
    simorg.faults.add(method="GET", path="/query", status=200, body=body, times=None)

    ran = user("sync", "Contact")

    assert ran.code == 1
    assert "MISSING_FIELD: Contact: The org left" in ran.err
    assert "sync again" in ran.err


def test_a_first_load_that_brought_nothing_is_begun_by_what_the_org_describes_by_then(user, simorg):
    simorg.add_field("Contact", "Size__c", "double 18,2")
    for (record_id,) in simorg.database.rows('SELECT "Id" FROM "Contact"'):
        simorg.change(record_id, Size__c=1.5)
    refused = [{"errorCode": "API_DISABLED", "message": "Not now."}]
    simorg.faults.add(Fault(path="/query", status=403, body=refused, times=9))
    assert user("sync", "Contact").code != 0
    simorg.faults.clear()
    simorg.retype_field("Contact", "Size__c", "string 80")

    ran = user("sync", "Contact")

    assert ran.code == 0, ran.err
    shown = {size for (size,) in simorg.database.rows('SELECT "Size__c" FROM "Contact"')}
    rows = user("query", "--json", "SELECT DISTINCT Size__c, typeof(Size__c) AS kind FROM Contact").json["rows"]
    assert rows == [{"Size__c": size, "kind": "text"} for size in shown]
