"""Which objects go into a workbook, and in which order."""

import pytest

from salesforce_sync.errors import Misuse
from salesforce_sync.testing import make_field, make_schema
from salesforce_sync.workbook.sets import SETS, parents_first, ready_set


def refers(name, *parents, required=()):
    optional = [make_field(f"{each}Id", "reference", referenceTo=[each]) for each in parents]
    needed = [make_field(f"{each}Id", "reference", referenceTo=[each], nillable=False) for each in required]
    return make_schema(name, *optional, *needed)


def order(*schemas):
    return [each.name for each in parents_first(schemas)]


def test_parents_come_before_what_refers_to_them():
    assert order(refers("C", "B"), refers("B", "A"), refers("A"), refers("D")) == ["A", "B", "C", "D"]


def test_an_object_may_refer_to_itself_and_to_what_is_not_there():
    assert order(refers("B", "B", "Elsewhere"), refers("A")) == ["B", "A"]


def test_in_a_circle_the_reference_that_may_be_empty_gives_way():
    treatment, policy = refers("Treatment", "Policy", required=["Engine"]), refers("Policy", "Treatment")
    engine = refers("Engine", required=["Policy"])

    assert order(treatment, engine, policy) == ["Policy", "Engine", "Treatment"]


def test_a_circle_of_required_references_ends_too():
    assert order(refers("A", required=["B"]), refers("B", required=["A"])) == ["A", "B"]


def test_what_hangs_on_a_circle_waits_for_it():
    lookup = make_field("ParentId", "reference", createable=False, referenceTo=["Parent"])
    child, parent = make_schema("Child", lookup), refers("Parent", "A")

    assert order(child, parent, refers("A", "B"), refers("B", "A")) == ["A", "Parent", "Child", "B"]


def test_who_saved_a_record_is_no_parent():
    user = make_schema("User")
    audited = make_schema("A", make_field("CreatedById", "reference", referenceTo=["User"]))

    assert order(audited, user) == ["A", "User"]


def test_the_ready_sets_are_those_that_were_promised():
    assert ready_set("sales") == ("Account", "Contact", "Lead", "Opportunity")
    assert ready_set("Revenue-Cloud")[:3] == ("LegalEntity", "TaxEngine", "TaxPolicy")
    assert len(set(SETS["revenue-cloud"])) == len(SETS["revenue-cloud"]) == 34


def test_another_set_is_refused_with_the_names_of_those_that_there_are():
    with pytest.raises(Misuse) as refused:
        ready_set("marketing")

    assert "sales" in refused.value.hint
