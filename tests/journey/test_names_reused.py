"""Fields that are renamed, and whose names others take, between two syncs: no stamp of a record moves by it."""

import pytest


@pytest.mark.parametrize(
    ("line", "another"),
    [
        ("string 80", "email"),
        ("string 80", "string 40"),
        ("string 80", "textarea 32000"),
        ("currency 18,2", "double 18,2"),
        ("double 18,4", "double 18,2"),
    ],
)
def test_a_name_that_another_field_has_taken_shows_its_values(user, simorg, line, another):
    simorg.add_field("Contact", "Note__c", line)
    for (record_id,) in simorg.database.rows('SELECT "Id" FROM "Contact"'):
        simorg.change(record_id, Note__c="5" if "string" in line else 5)
    simorg.clock.advance(86_400)  # so that these rows are not read again for their age
    simorg.add("Contact", LastName="Roe")
    assert user("sync", "Contact").code == 0
    simorg.rename_field("Contact", "Note__c", "Old__c")
    simorg.add_field("Contact", "Note__c", another)

    ran = user("sync", "Contact")

    assert ran.code == 0
    assert "retyped=Note__c" in ran.out
    (row,) = user("query", "--json", "SELECT count(Old__c) AS old, count(Note__c) AS note FROM Contact").json["rows"]
    assert row == {"old": simorg.count("Contact") - 1, "note": 0}


@pytest.mark.parametrize(("line", "value"), [("string 80", "5"), ("boolean", True), ("double 18,2", 5)])
def test_a_name_that_another_field_of_the_same_form_has_taken_shows_its_values_too(user, simorg, line, value):
    simorg.add_field("Contact", "Note__c", line)
    simorg.add_field("Contact", "Other__c", line)
    for (record_id,) in simorg.database.rows('SELECT "Id" FROM "Contact"'):
        simorg.change(record_id, Note__c=value)
    simorg.clock.advance(86_400)  # so that these rows are not read again for their age
    assert user("sync", "Contact").code == 0
    simorg.rename_field("Contact", "Note__c", "Old__c")
    simorg.add_field("Contact", "Note__c", line)

    assert user("sync", "Contact").code == 0

    found = "SELECT count(*) AS n FROM Contact WHERE {} IS NOT NULL AND {} IS NOT 0"
    counts = [user("query", "--json", found.format(name, name)).json["rows"][0]["n"] for name in ("Old__c", "Note__c")]
    assert counts == [simorg.count("Contact"), 0]


def test_a_field_whose_scale_is_cut_shows_what_is_left(user, simorg):
    simorg.add_field("Contact", "Size__c", "double 18,4")
    for (record_id,) in simorg.database.rows('SELECT "Id" FROM "Contact"'):
        simorg.change(record_id, Size__c=1.2345)
    simorg.clock.advance(86_400)
    simorg.add("Contact", LastName="Roe")
    user("sync", "Contact")
    simorg.retype_field("Contact", "Size__c", "double 18,2")

    assert user("sync", "Contact").code == 0

    found = {size for (size,) in simorg.database.rows('SELECT "Size__c" FROM "Contact"')}
    here = user("query", "--json", "SELECT DISTINCT Size__c FROM Contact").json["rows"]
    assert {None if size is None else float(size) for size in found} == {row["Size__c"] for row in here}
