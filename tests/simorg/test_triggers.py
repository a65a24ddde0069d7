"""Triggers: what the server does on its own when a row is saved, set from Python and by the control API."""

from typing import Any

import httpx2
import pytest

from simorg import triggers
from simorg.org import SimOrg
from simorg.results import Failure


def value(org: SimOrg, record_id: str, field: str) -> Any:
    return (org.row(record_id) or {})[field]


def post(org: SimOrg, outside: httpx2.Client, **body: Any) -> None:
    """Set a rule by the control API."""
    answer = outside.post("/_control/rules", json=body)
    assert answer.status_code == 200, answer.text


class TestBeforeTheSave:
    """The row's own values change."""

    def test_a_name_is_saved_in_upper_case(self, client: httpx2.Client, org: SimOrg) -> None:
        triggers.normalise(org, "Account", "Name", "upper")
        record_id = client.post("/sobjects/Account", json={"Name": "Straße"}).json()["id"]
        created = value(org, record_id, "Name")
        client.patch(f"/sobjects/Account/{record_id}", json={"Name": "new"})

        assert (created, value(org, record_id, "Name")) == ("STRASSE", "NEW")

    def test_only_on_its_object(self, org: SimOrg) -> None:
        triggers.normalise(org, "account", "Name", "lower")

        assert value(org, org.add("Product2", Name="Big"), "Name") == "Big"

    def test_blanks_go(self, org: SimOrg) -> None:
        triggers.normalise(org, "Contact", "Title", "trim")

        assert value(org, org.add("Contact", LastName="x", Title="Head  of\n Sales"), "Title") == "Head of Sales"

    def test_what_no_longer_fits_is_refused(self, org: SimOrg) -> None:
        triggers.normalise(org, "Account", "Name", "upper")
        refused = org.create("Account", [{"Name": "ß" * 200}])[0]

        assert isinstance(refused, Failure)
        assert refused.code == "STRING_TOO_LONG"

    def test_the_name_of_a_person_follows(self, org: SimOrg) -> None:
        triggers.normalise(org, "Contact", "LastName", "upper")

        assert value(org, org.add("Contact", FirstName="Jane", LastName="Doe"), "Name") == "Jane DOE"

    def test_an_empty_field_is_filled_even_a_required_one(self, org: SimOrg) -> None:
        triggers.fill(org, "Account", "Name", "nameless")
        triggers.fill(org, "Account", "AnnualRevenue", 5)
        record_id = org.add("Account", Site="here")
        org.change(record_id, AnnualRevenue=None)

        assert (value(org, record_id, "Name"), value(org, record_id, "AnnualRevenue")) == ("nameless", "5.0")

    def test_a_mistake_is_told_when_it_is_set(self, org: SimOrg) -> None:
        with pytest.raises(LookupError):
            triggers.normalise(org, "Account", "Nonsense", "upper")
        with pytest.raises(ValueError, match="upper"):
            triggers.normalise(org, "Account", "Name", "sideways")
        with pytest.raises(ValueError, match="no such column"):
            triggers.fail_when(org, "Account", "Nonsense = 1")


class TestAnotherRecord:
    """A count of the children is kept on the parent."""

    @pytest.fixture
    def parents(self, org: SimOrg) -> tuple[str, str]:
        triggers.count_on_parent(org, "Contact", "AccountId", "NumberOfEmployees")
        return org.add("Account", Name="one"), org.add("Account", Name="two")

    def counts(self, org: SimOrg, parents: tuple[str, str]) -> list[Any]:
        return [value(org, one, "NumberOfEmployees") for one in parents]

    def test_it_follows_every_way_that_a_child_can_go(self, org: SimOrg, parents: tuple[str, str]) -> None:
        one, two = parents
        child = org.add("Contact", LastName="x", AccountId=one)
        org.add("Contact", LastName="y", AccountId=one)
        created = self.counts(org, parents)
        org.change(child, AccountId=two)
        moved = self.counts(org, parents)
        org.remove(child)
        removed = self.counts(org, parents)
        org.undelete([child])

        assert [created, moved, removed, self.counts(org, parents)] == [[2, None], [1, 1], [1, 0], [1, 1]]

    def test_the_parent_is_edited_by_the_caller(self, org: SimOrg, parents: tuple[str, str]) -> None:
        org.clock.freeze()
        before = value(org, parents[0], "SystemModstamp")
        org.clock.advance(5)
        org.add("Contact", LastName="x", AccountId=parents[0])

        assert value(org, parents[0], "SystemModstamp") == before + 5000
        assert value(org, parents[0], "LastModifiedDate") == before + 5000
        assert value(org, parents[0], "LastModifiedById") == org.user_id

    def test_a_ring_of_parents_comes_to_rest(self, org: SimOrg) -> None:
        triggers.count_on_parent(org, "Account", "ParentId", "NumberOfEmployees")
        one, two = org.add("Account", Name="one"), org.add("Account", Name="two")
        org.change(one, ParentId=two)
        org.change(two, ParentId=one)

        assert self.counts(org, (one, two)) == [1, 1]

    def test_a_parent_that_refuses_makes_the_child_fail(
        self, client: httpx2.Client, org: SimOrg, parents: tuple[str, str]
    ) -> None:
        org.rules.add_validation("Account", "NumberOfEmployees > 0", "No people, please")
        answer = client.post("/sobjects/Contact", json={"LastName": "x", "AccountId": parents[0]})

        (error,) = answer.json()
        assert (answer.status_code, error["errorCode"]) == (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY")
        assert "FIELD_CUSTOM_VALIDATION_EXCEPTION, No people, please" in error["message"]
        assert value(org, parents[0], "NumberOfEmployees") is None


class TestByTheControlApi:
    """The same, over HTTP, and switched off by object."""

    def test_each_kind(self, outside: httpx2.Client, org: SimOrg) -> None:
        on = {"object_name": "Contact"}
        post(org, outside, trigger={"does": "normalise", **on, "field": "FirstName", "to": "title"})
        post(org, outside, trigger={"does": "fill", **on, "field": "Title", "value": "Guest"})
        count = {"does": "count_on_parent", **on, "reference": "AccountId", "field": "NumberOfEmployees"}
        post(org, outside, trigger=count)
        post(org, outside, trigger={"does": "fail_when", **on, "condition": "LastName = 'Bad'", "message": "no"})
        account = org.add("Account", Name="x")
        child = org.add("Contact", FirstName="jane", LastName="Doe", AccountId=account)
        refused = org.create("Contact", [{"LastName": "Bad"}])[0]

        assert (value(org, child, "FirstName"), value(org, child, "Title")) == ("Jane", "Guest")
        assert value(org, account, "NumberOfEmployees") == 1
        assert isinstance(refused, Failure)
        assert refused.code == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"

    def test_an_object_is_forgotten_alone(self, outside: httpx2.Client, org: SimOrg) -> None:
        for name in ("Account", "Product2"):
            trigger = {"does": "normalise", "object_name": name, "field": "Name", "to": "upper"}
            post(org, outside, trigger=trigger)
        post(org, outside, forget="Account")

        assert value(org, org.add("Account", Name="x"), "Name") == "x"
        assert value(org, org.add("Product2", Name="x"), "Name") == "X"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"trigger": {"does": "normalise", "object_name": "Account", "field": "Nonsense", "to": "upper"}},
            {"trigger": {"does": "dance", "object_name": "Account"}},
            {"trigger": {"does": "fail_when", "object_name": "Account", "condition": "1 ="}},
            {"contend_for_parents": {"object_name": "Contact", "field": "Nonsense"}},
            {"forget": "Nonsense"},
        ],
        ids=str,
    )
    def test_mistakes_are_told(self, outside: httpx2.Client, org: SimOrg, wrong: dict[str, Any]) -> None:
        assert outside.post("/_control/rules", json=wrong).status_code == 400
        assert org.rules.triggers == []
