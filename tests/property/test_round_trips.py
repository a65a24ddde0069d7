"""Values come back as they went in, by CSV and by REST, whatever they are."""

from datetime import timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from salesforce_sync.models.api_names import snake_case
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.models.schema import FieldType
from salesforce_sync.models.values import decode, encode, store_datetime
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock, make_schema
from salesforce_sync.testing.forms import to_csv, to_rest
from tests.contract.stores import NOON, csv_page, id_of, page
from tests.property.values import AWKWARD, CHARACTERS, DECIMALS, MOMENTS, THING, VALUES

TWO = make_schema("Two__c", Left__c="string", Number__c="double", Right__c="string")


def stored_by(store, tmp_path, form, rows):
    """What SQLite holds of these rows after they came by this form."""
    store.begin(PullRequest(TWO))
    full = [(id_of(at), False, NOON, NOON, NOON, *row) for at, row in enumerate(rows)]
    more = {"resume": "end", "expected": len(rows), "last": True}
    store.stage(csv_page(tmp_path / "p.csv", full, TWO, **more) if form == "csv" else page(*full, schema=TWO, **more))
    store.merge("Two__c", None)
    found = {row[0]: row[5:] for row in store.scan("Two__c")}
    return [found[id_of(at)] for at in range(len(rows))]


def fresh_store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("round")
    store = SqliteStore(folder / "replica.db", FrozenClock())
    store.adopt(TWO)
    return store, folder


texts = st.one_of(AWKWARD, st.text(CHARACTERS))


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=20))
def test_texts_come_through_csv_as_they_are(tmp_path_factory, pairs):
    store, folder = fresh_store(tmp_path_factory)

    got = stored_by(store, folder, "csv", [(left, None, right) for left, right in pairs])

    assert got == [(left or None, None, right or None) for left, right in pairs]
    store.close()


forms = st.sampled_from([str, "{:f}".format, "{:E}".format, lambda each: f"{each:E}".replace("E+", "E")])


@given(st.lists(st.tuples(DECIMALS, forms), min_size=1, max_size=30))
def test_decimals_keep_every_digit_by_both_routes(tmp_path_factory, numbers):
    store, folder = fresh_store(tmp_path_factory)
    values = [value for value, _ in numbers]

    by_csv = stored_by(store, folder, "csv", [(None, form(value), None) for value, form in numbers])
    by_rest = stored_by(store, folder, "rest", [(None, value, None) for value in values])

    assert [decode(FieldType.DECIMAL, row[1]) for row in by_csv] == values
    assert by_csv == by_rest
    assert [type(row[1]) for row in by_csv] == [type(row[1]) for row in by_rest]
    store.close()


@given(DECIMALS)
def test_a_decimal_that_a_person_gives_is_stored_as_if_the_org_had_sent_it(value):
    kind = FieldType.DECIMAL

    assert encode(kind, value) == encode(kind, str(value))
    assert decode(kind, encode(kind, value)) == value


@given(MOMENTS, st.integers(-14 * 60, 14 * 60))
def test_a_moment_is_stored_alike_from_every_zone(moment, minutes):
    there = moment.astimezone(timezone(timedelta(minutes=minutes)))

    assert store_datetime(there.isoformat()) == store_datetime(str(to_rest(moment))) == to_csv(moment)
    assert decode(FieldType.DATETIME, encode(FieldType.DATETIME, there)) == moment


@given(st.data())
def test_every_value_is_shown_as_it_was_given(data):
    for name, values in VALUES.items():
        value, kind = data.draw(values), THING.field(name).type

        assert decode(kind, encode(kind, value)) == (None if value == "" else value)


@given(st.text("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=15, max_size=15))
def test_an_id_of_18_characters_is_its_own_and_tells_case_apart(short):
    full = to_18(short)

    assert full[:15] == short
    assert to_18(full) == full
    if short.swapcase() != short:
        assert to_18(short.swapcase()).lower() != full.lower()


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,20}(__c)?", fullmatch=True))
def test_a_python_name_is_lower_and_can_be_an_attribute(name):
    assert snake_case(name).isidentifier()
    assert snake_case(name) == snake_case(name).lower()
    assert snake_case(name).replace("_", "") == name.replace("_", "").lower()
