"""Seeded records: how many, always the same, and nasty enough."""

import pytest

from simorg import ids, template
from simorg.clock import OrgClock
from simorg.org import SimOrg
from simorg.server import Server
from simorg.values import convert

START = 1_768_473_000_000


def column(org: SimOrg, name: str, object_name: str = "Contact") -> list[object]:
    return [row[0] for row in org.database.rows(f'SELECT "{name}" FROM "{object_name}" ORDER BY rowid')]


def test_the_numbers_follow_the_contacts(seeded: Server) -> None:
    counts = {name: seeded.org.count(name) for name in ("Contact", "Account", "Lead", "Opportunity", "Widget__c")}

    assert counts == {"Contact": 1000, "Account": 100, "Lead": 200, "Opportunity": 200, "Widget__c": 20}
    assert seeded.org.count("PricebookEntry") == 2 * seeded.org.count("Product2") > 0


def test_no_records_means_only_users_and_standard_rows(org: SimOrg) -> None:
    with SimOrg() as empty:
        rows = {name: empty.count(name) for name in empty.objects}

    assert {name for name, count in rows.items() if count} == {"User", "Profile", "Group", "Pricebook2", "RecordType"}


def test_the_same_seed_makes_the_same_rows() -> None:
    def rows(seed: int) -> list[object]:
        template.forget()
        with SimOrg(60, seed, start_ms=START) as org:
            org.clock.freeze()
            return [org.database.rows(f'SELECT * FROM "{name}"') for name in ("Contact", "Account", "Widget__c")]

    first, again, other = rows(5), rows(5), rows(6)

    assert first == again
    assert first != other


@pytest.mark.parametrize(("records", "seed"), [(0, 1), (20, 3), (40, 7), (400, 2)])
def test_a_copy_of_an_org_that_was_filled_before_is_as_one_that_is_filled_now(
    records: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(start_ms: int) -> OrgClock:
        made = OrgClock(start_ms)
        made.freeze()
        return made

    def everything(start_ms: int) -> tuple[object, object, object]:
        with SimOrg(records, seed, start_ms=start_ms) as org:
            schema = org.database.rows("SELECT name, sql FROM sqlite_schema ORDER BY name")
            rows = {name: org.database.rows(f'SELECT * FROM "{name}"') for name in org.objects}
            account = org.add("Account", Name="x")
            return schema, rows, (org.row(org.add("Widget__c", Account__c=account)) or {})["Name"]

    monkeypatch.setattr("simorg.org.OrgClock", stopped)  # how long the filling takes is in the stamps too
    template.forget()
    filled_then = everything(START)
    copied = everything(START + 86_400_000)
    template.forget()
    filled = everything(START + 86_400_000)

    assert copied == filled
    assert filled_then[1] != filled[1]


def test_the_rows_of_a_copy_are_its_own() -> None:
    with SimOrg(40, 7) as first, SimOrg(40, 7) as second:
        first.add("Contact", LastName="Only here")

        assert first.count("Contact") == second.count("Contact") + 1
        assert first.database.path != second.database.path


def test_ids_and_mail_addresses_are_distinct_and_ids_valid(seeded: Server) -> None:
    found = column(seeded.org, "Id")
    mails = [one for one in column(seeded.org, "Email") if one]

    assert len(set(found)) == 1000
    assert [ids.normalize(one) for one in found] == found
    assert len(set(mails)) == len(mails) > 500


def test_every_reference_leads_somewhere(seeded: Server) -> None:
    org = seeded.org
    held: dict[str, int] = {}
    for schema in org.objects.values():
        for one in schema.stored_fields:
            for parent in one.reference_to if len(one.reference_to) == 1 else ():
                if parent in org.objects:
                    sql = (
                        f'SELECT COUNT(*) FROM "{schema.name}" c WHERE c."{one.name}" IS NOT NULL '
                        f'AND NOT EXISTS (SELECT 1 FROM "{parent}" p WHERE p."Id" = c."{one.name}")'
                    )
                    assert org.database.value(sql) == 0, f"{schema.name}.{one.name}"
                    filled = f'SELECT COUNT("{one.name}") FROM "{schema.name}"'
                    held[f"{schema.name}.{one.name}"] = org.database.value(filled)

    most = (
        "Contact.AccountId",
        "Contact.OwnerId",
        "Opportunity.AccountId",
        "OrderItem.OrderId",
        "Widget__c.Account__c",
    )
    assert all(held[name] > 10 for name in most)
    assert sum(1 for count in held.values() if count) > 50


@pytest.mark.parametrize("object_name", ["Account", "Contact", "Lead", "Opportunity", "Product2", "Order", "Widget__c"])
def test_every_value_could_have_been_written_by_a_client(seeded: Server, object_name: str) -> None:
    schema = seeded.org.objects[object_name]
    names = [one.name for one in schema.stored_fields]
    assert seeded.org.count(object_name) > 5
    wrong = [
        (one.name, value)
        for row in seeded.org.database.rows(f'SELECT * FROM "{object_name}"')
        for one, value in zip(schema.stored_fields, row, strict=True)
        if value is not None and one.type not in ("datetime", "boolean") and convert(one, value) != value
    ]

    assert names == [column[1] for column in seeded.org.database.rows(f"PRAGMA table_info('{object_name}')")]
    assert wrong == []


def test_required_fields_are_filled(seeded: Server) -> None:
    org = seeded.org
    empty_objects = [name for name in org.objects if not org.count(name)]
    required = [(schema, one) for schema in org.objects.values() for one in schema.stored_fields if not one.nillable]
    assert (empty_objects, len(required) > 100) == ([], True)
    for schema, one in required:
        empty = org.database.value(f'SELECT COUNT(*) FROM "{schema.name}" WHERE "{one.name}" IS NULL')
        assert empty == 0, f"{schema.name}.{one.name}"


def test_nasty_values_are_among_them() -> None:
    with SimOrg(400, 2) as org:
        texts = {
            value
            for name in ("Contact", "Account", "Lead", "Opportunity", "Product2", "Widget__c")
            for row in org.database.rows(f'SELECT * FROM "{name}"')
            for value in row
        }

    for nasty in ("null", "NULL", "#N/A", "true", "=1+1", "00123", "👩‍👩‍👧‍👦 family 🇪🇺 😀", "محمد عبد الله"):
        assert nasty in texts
    assert {"1700-01-01", "4000-12-31", "999999999999999999.0", "9999999999999999.99"} <= texts
    assert any(isinstance(one, str) and "\r\n" in one and '"' in one for one in texts)
    assert any(isinstance(one, str) and len(one) == 32_000 for one in texts)
    assert "" not in texts


def test_stamps_lie_in_the_past_and_many_share_a_second(seeded: Server) -> None:
    org = seeded.org
    stamps = [int(str(one)) for one in column(org, "SystemModstamp")]
    created = [int(str(one)) for one in column(org, "CreatedDate")]

    assert len(stamps) == 1000
    assert max(stamps) < org.clock.now_ms()
    assert all(first <= last for first, last in zip(created, stamps, strict=True))
    assert all(one % 1000 == 0 for one in stamps)
    assert len(set(stamps)) < len(stamps) - 100
    assert created == sorted(created)


def test_new_rows_go_on_after_the_seeded_ones() -> None:
    with SimOrg(30, 1) as org:
        last = org.database.value('SELECT MAX("Id") FROM "Contact"')
        widget = org.add("Widget__c", Account__c=ids.make("001", 1))

        assert org.add("Contact", LastName="x") > last
        assert (org.row(widget) or {})["Name"] == "W-000021"
