"""Fills a new org: Python makes some thousand rows per object, SQL multiplies them with ids, names and references."""

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

from simorg import ids
from simorg.database import Row, quote
from simorg.schema import SField, SObject
from simorg.seed_revenue import fill_revenue
from simorg.seed_sql import CONVERTED, REFERENCES, SPREAD_MS, stamps
from simorg.seed_values import (
    DEPARTMENTS,
    FIRST_NAMES,
    LAST_NAMES,
    PLACES,
    TITLES,
    company,
    long_text,
    nasty,
    realistic,
    slug,
)
from simorg.standard import derive, full_name
from simorg.writer import blank_row

if TYPE_CHECKING:
    from simorg.org import SimOrg

TEMPLATES = 2000
NASTY_EVERY = 10  # so that even a small org has some, and a list on a screen still looks like an org
NASTY_FIRST = 3
NASTY_UNTIL = 400  # a large org has 2,000 different rows, 40 of them nasty
USERS = 12
STANDARD_BOOK, CUSTOM_BOOK = ids.make("01s", 1), ids.make("01s", 2)
_SEEDED = "Account Contact Lead Opportunity Product2 PricebookEntry LegalEntity Contract Order OrderItem Widget__c"
SEEDED = _SEEDED.split()
# Columns whose template text holds `{k}` (the row's number) or `{second}` (a second name once templates repeat).
MARKED = frozenset({"Name", "LastName", "Email", "Ext__c", "Code__c", "Number_Key__c", "ProductCode", "Company"})


def fill(org: "SimOrg", records: int, seed: int) -> None:
    """Write the standard rows and, when `records` is not 0, so many contacts and the other objects in proportion."""
    rng = random.Random(seed)
    org.database.begin_load()
    with org.transaction():
        _standard_rows(org, rng)
        if records:
            org.db.create_scalar_function("seed_id", ids.Series(), 2, deterministic=True)
            _seed_objects(org, _counts(records), rng)
            fill_revenue(org, _first_stamps(org))
    if records:
        _files(org)
    org.database.end_load()


def _counts(records: int) -> dict[str, int]:
    counts = {
        "Account": max(5, records // 10),
        "Contact": records,
        "Lead": max(5, records // 5),
        "Opportunity": max(5, records // 5),
        "Product2": max(8, min(records // 100, 5000)),
        "LegalEntity": max(3, min(records // 1000, 50)),
        "Contract": max(4, records // 100),
        "Order": max(4, records // 50),
        "Widget__c": max(20, records // 50),
    }
    return counts | {"PricebookEntry": 2 * counts["Product2"], "OrderItem": 2 * counts["Order"]}


def _seed_objects(org: "SimOrg", counts: dict[str, int], rng: random.Random) -> None:
    org.db.execute("CREATE TEMP TABLE _second (n INTEGER PRIMARY KEY, t TEXT, word TEXT)")
    names = [(0, "", "")] + [(n, f"-{LAST_NAMES[n % 97]}{_letters(n)}", f" {n}") for n in range(1, 500)]
    org.db.executemany("INSERT INTO _second VALUES (?, ?, ?)", names)
    for name in SEEDED:
        schema = org.objects[name]
        _templates(org, schema, min(TEMPLATES, counts[name] + 1), rng)
        _multiply(org, schema, counts)
        org.db.execute("DROP TABLE _template")
    org.db.execute("DROP TABLE _second")


def _letters(number: int) -> str:
    """Tell apart second names that repeat: nothing for the first round, then `a`, `b`, …"""
    return "" if number < 97 else chr(ord("a") + number // 97 - 1)


def _templates(org: "SimOrg", schema: SObject, count: int, rng: random.Random) -> None:
    columns = [one.name for one in schema.stored_fields]
    org.db.execute(f"CREATE TEMP TABLE _template (n INTEGER PRIMARY KEY, {', '.join(map(quote, columns))})")
    marks = ", ".join("?" * (len(columns) + 1))
    users = [ids.make("005", number) for number in range(1, USERS + 1)]
    rows = (_template(org, schema, number, rng, users) for number in range(count))
    org.db.executemany(
        f"INSERT INTO _template VALUES ({marks})",
        ((number, *(row[name] for name in columns)) for number, row in enumerate(rows)),
    )


def _template(org: "SimOrg", schema: SObject, number: int, rng: random.Random, users: list[str]) -> Row:
    row = blank_row(schema)
    place = rng.choice(PLACES) if rng.random() < 0.8 else ()
    for one in schema.stored_fields:
        if one.createable and one.type not in ("reference", "base64"):
            row[one.name] = realistic(one, rng, place)
            if row[one.name] is None and (one.required or one.default_value is not None):
                row[one.name] = one.default_value
    _marked_values(schema, row, rng)
    if number < NASTY_UNTIL and number % NASTY_EVERY == NASTY_FIRST:
        _spoil(schema, row, number // NASTY_EVERY)
    row |= {"CreatedById": rng.choice(users), "LastModifiedById": rng.choice(users)}
    if "OwnerId" in row:
        row["OwnerId"] = rng.choice(users)
    _derived(org, schema, row)
    return row


def _marked_values(schema: SObject, row: Row, rng: random.Random) -> None:
    """Set the columns that must differ from row to row."""
    if "LastName" in row:
        person = ".".join(slug(str(row[part])) for part in ("FirstName", "LastName") if row[part])
        row["LastName"] = str(row["LastName"]) + "{second}"
        row["Email"] = f"{person}{{k}}@{slug(rng.choice(LAST_NAMES))}.example" if rng.random() < 0.9 else None
    if "Company" in row:
        row["Company"] = company(rng) + "{word}"
    if schema.name in ("Account", "Product2", "LegalEntity", "Opportunity", "Order"):
        row["Name"] = company(rng) + "{word}"
    if "Ext__c" in row:
        row["Ext__c"] = f"{schema.name[0]}-{{k}}" if rng.random() < 0.5 else None
    if "Code__c" in row:
        row |= {"Code__c": "cd{k}" if rng.random() < 0.5 else None, "Number_Key__c": None}
    if "ProductCode" in row:
        row["ProductCode"] = "00{k}"


def _spoil(schema: SObject, row: Row, turn: int) -> None:
    """Put nasty values into a row, in every free field another one."""
    position = turn
    for one in schema.stored_fields:
        if one.createable and _may_be_nasty(one):
            value = nasty(one, position)
            position += 1
            if value is not None or one.nillable:
                row[one.name] = value
    if "Description" in row and turn in (0, 5):
        length = next(one.length for one in schema.fields if one.name == "Description")
        row["Description"] = long_text(min(length, 32_000))


def _may_be_nasty(one: SField) -> bool:
    fixed = one.external_id or one.unique or one.picklist or one.name in ("CloseDate", "EffectiveDate", "EndDate")
    return not fixed and not one.name.endswith("Probability")


def _derived(org: "SimOrg", schema: SObject, row: Row) -> None:
    if schema.name in ("Contact", "Lead"):
        row["Name"] = full_name(row["FirstName"], row["LastName"])
    elif schema.name in ("Opportunity", "Contract", "Order"):
        for required in ("CloseDate", "EffectiveDate"):
            if required in row:
                row[required] = row[required] or "2026-06-30"
        derive(org, schema.name, row, {"StageName"}, None)


def _multiply(org: "SimOrg", schema: SObject, counts: dict[str, int]) -> None:
    count = counts[schema.name]
    special = dict(_special(org, schema, counts))
    names = [one.name for one in schema.stored_fields]
    values = ", ".join(special.get(name, f"t.{quote(name)}") for name in names)
    modulo = min(TEMPLATES, count + 1)
    org.db.execute(
        "WITH RECURSIVE s(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM s WHERE k < ?) "
        f"INSERT INTO {quote(schema.name)} ({', '.join(map(quote, names))}) SELECT {values} FROM s "
        f"CROSS JOIN _template t ON t.n = s.k % {modulo} CROSS JOIN _second x ON x.n = (s.k / {modulo}) % 500",
        (count,),
    )
    org.numbering.reserve_ids(schema.key_prefix, count)


def _special(org: "SimOrg", schema: SObject, counts: dict[str, int]) -> Iterator[tuple[str, str]]:
    """Return the SQL of the columns that are not simply the template's."""
    yield "Id", f"seed_id('{schema.key_prefix}', k)"
    for one in schema.stored_fields:
        if one.auto_number:
            before, _, rest = one.auto_number.partition("{")
            yield one.name, f"printf('{before}%0{len(rest) - 1}d', k)"
            org.numbering.reserve_numbers(schema, one, counts[schema.name])
        elif one.name in MARKED and one.type != "double":
            column = f"t.{quote(one.name)}"
            yield one.name, f"replace(replace(replace({column}, '{{k}}', k), '{{second}}', x.t), '{{word}}', x.word)"
    for name, sql in REFERENCES.get(schema.name, {}).items():
        yield name, sql.format(**counts)
    if schema.name == "Lead":
        yield from CONVERTED.items()
    yield from stamps(org.now_stamp(), counts[schema.name])


def _standard_rows(org: "SimOrg", rng: random.Random) -> None:
    stamps = _first_stamps(org)
    for object_name, row in (*_users(rng), *_small_rows(org)):
        org.database.insert(object_name, blank_row(org.objects[object_name]) | row | stamps)
    for prefix, count in (("005", USERS), ("00e", 2), ("00G", 2), ("01s", 2), ("012", 2)):
        org.numbering.reserve_ids(prefix, count)


def _first_stamps(org: "SimOrg") -> Row:
    """Return the stamps of rows that were there from the beginning."""
    then, by = org.now_stamp() - SPREAD_MS, org.user_id
    stamps: Row = {"CreatedDate": then, "LastModifiedDate": then, "SystemModstamp": then}
    return stamps | {"CreatedById": by, "LastModifiedById": by}


def _users(rng: random.Random) -> Iterator[tuple[str, Row]]:
    for number in range(1, USERS + 1):
        first, last = ("Integration", "User") if number == 1 else (rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES))
        login = f"{slug(first)}.{slug(last)}{number}@simorg.example" if number > 1 else "admin@simorg.example"
        yield (
            "User",
            {
                "Id": ids.make("005", number),
                "Username": login,
                "Email": login,
                "FirstName": first,
                "LastName": last,
                "Name": full_name(first, last),
                "Alias": f"u{number}",
                "CommunityNickname": f"user{number}",
                "ProfileId": ids.make("00e", 1 if number == 1 else 2),
                "TimeZoneSidKey": "UTC",
                "LocaleSidKey": "en_US",
                "LanguageLocaleKey": "en_US",
                "EmailEncodingKey": "UTF-8",
                "UserType": "Standard",
                "IsActive": int(number != USERS),
                "ManagerId": ids.make("005", 2) if number > 2 else None,
                "Title": rng.choice(TITLES),
                "Department": rng.choice(DEPARTMENTS),
            },
        )


def _small_rows(org: "SimOrg") -> Iterator[tuple[str, Row]]:
    for number, name in enumerate(("System Administrator", "Standard User"), 1):
        yield "Profile", {"Id": ids.make("00e", number), "Name": name, "UserType": "Standard"}
    for number, name in enumerate(("Inbound Leads", "Support"), 1):
        row: Row = {"Id": ids.make("00G", number), "Name": name, "DeveloperName": name.replace(" ", "_")}
        yield "Group", row | {"Type": "Queue"}
    yield "Pricebook2", {"Id": STANDARD_BOOK, "Name": "Standard Price Book", "IsActive": 1, "IsStandard": 1}
    yield "Pricebook2", {"Id": CUSTOM_BOOK, "Name": "Partners", "IsActive": 1}
    for schema in org.objects.values():
        for one in schema.record_types:
            row = {"Id": one.id, "Name": one.name, "DeveloperName": one.developer_name, "IsActive": int(one.active)}
            yield "RecordType", row | {"SobjectType": schema.name}


def _files(org: "SimOrg") -> None:
    for title, content in (
        ("Readme.txt", "Grüße\n".encode()),
        ("zeros.bin", bytes(1000)),
        ("all.bin", bytes(range(256))),
    ):
        org.create("ContentVersion", [{"Title": title, "PathOnClient": title, "VersionData": content}])
