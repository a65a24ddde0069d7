"""Whatever a client writes it reads back, and many clients at once do not disturb each other."""

import unicodedata
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import httpx2
import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simorg.org import SimOrg
from simorg.server import Server
from simorg.values import BLANKS
from tests.plain import PLAIN

DECODE = msgspec.json.Decoder(float_hook=Decimal).decode
RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MOMENTS = st.datetimes(datetime(1700, 1, 1), datetime(4000, 12, 31, 23, 59, 59), timezones=st.just(UTC))


def printable(text: str) -> bool:
    return not any(unicodedata.category(char) in ("Cs", "Cc") and char not in "\r\n\t" for char in text)


def widget(client: httpx2.Client, org: SimOrg, **values: object) -> dict[str, object]:
    """Write a widget over REST and read it back."""
    account = org.database.value('SELECT "Id" FROM "Account" LIMIT 1') or org.add("Account", Name="Parent")
    sent = msgspec.json.Encoder(decimal_format="number").encode({"Account__c": account, **values})
    made = client.post("/sobjects/Widget__c", content=sent)
    assert made.status_code == 201, made.text
    answer = client.get(f"/sobjects/Widget__c/{made.json()['id']}?fields={','.join(values)}")
    return dict(DECODE(answer.content))


@RELAXED
@given(text=st.text(max_size=255).filter(printable))
def test_texts_come_back_trimmed_and_never_empty(client: httpx2.Client, org: SimOrg, text: str) -> None:
    read = widget(client, org, Text__c=text, Long__c=text)

    assert read["Text__c"] == read["Long__c"] == (text.strip(BLANKS) or None)


@RELAXED
@given(number=st.decimals(-(10**16) + 1, 10**16 - 1, places=2, allow_nan=False))
def test_amounts_come_back_with_every_digit(client: httpx2.Client, org: SimOrg, number: Decimal) -> None:
    assert widget(client, org, Price__c=number)["Price__c"] == number


@RELAXED
@given(moment=MOMENTS)
def test_moments_come_back_in_whole_seconds(client: httpx2.Client, org: SimOrg, moment: datetime) -> None:
    read = widget(client, org, Moment__c=moment.isoformat(), Day__c=moment.date().isoformat())

    assert read["Moment__c"] == moment.replace(microsecond=0, tzinfo=None).isoformat() + ".000+0000"
    assert read["Day__c"] == moment.date().isoformat()


def test_many_clients_at_once(server: Server, org: SimOrg) -> None:
    before = org.count("Contact")
    token = org.sessions.open(org.user_id).token
    headers = {"Authorization": f"Bearer {token}"}

    def work(worker: int) -> set[str]:
        made = set()
        with httpx2.Client(base_url=f"{server.url}/services/data/v58.0", headers=headers, verify=PLAIN) as client:
            for number in range(25):
                record_id = client.post("/sobjects/Contact", json={"LastName": f"w{worker}-{number}"}).json()["id"]
                assert client.get(f"/sobjects/Contact/{record_id}").json()["LastName"] == f"w{worker}-{number}"
                assert client.get("/query?q=SELECT COUNT() FROM Contact").json()["totalSize"] > before
                made.add(record_id)
        return made

    with ThreadPoolExecutor(6) as pool:
        made = set.union(*pool.map(work, range(6)))

    assert len(made) == 150
    assert org.count("Contact") == before + 150
    assert org.usage.used == 450
