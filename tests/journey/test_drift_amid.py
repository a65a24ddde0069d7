"""Fields that change between the describe and the rows of the same sync."""

import pytest

from simorg.faults import Fault, Faults


class Amid(Faults):
    """Lets something happen, once, when the first query comes."""

    def __init__(self, act) -> None:
        super().__init__()
        self._act = act

    def for_request(self, method: str, target: str) -> list[Fault]:
        if "/query?" in target and self._act is not None:
            act, self._act = self._act, None
            act()
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


def test_a_value_that_no_describe_explains_fails_and_says_what_to_do(user, simorg):
    simorg.add_field("Contact", "Size__c", "double 18,2")
    records = [{"attributes": {"type": "Contact"}, "Id": "0035e0000000001AAA"}]
    body = {"totalSize": 1, "done": True, "records": records}
    simorg.faults.add(method="GET", path="/query", status=200, body=body, times=None)

    ran = user("sync", "Contact")

    assert ran.code == 1
    assert "MISSING_FIELD: Contact: The org left" in ran.err
    assert "sync again" in ran.err
