"""Values for seeded rows: realistic ones, and nasty ones that break careless clients."""

import random
import unicodedata
from decimal import Decimal

from simorg.database import Value
from simorg.decimals import canonical, rounded
from simorg.schema import NUMBER_TYPES, SField
from simorg.times import parse_datetime

_FIRST_NAMES = (
    "Ada Amir Ana Anders Aylin Bao Beatriz Bjørn Carlos Chiara Chen Dana David Deniz Elena Emeka Emma Farid "
    "Fatima Femi Freja George Grace Hana Haruto Hugo Ines Ingrid Ivan Jakob Jane Joana John Jürgen Kaito Karin "
    "Kofi Lars Leila Liam Lina Lucía Mads Maja Malik María Mei Mina Mohammed Nadia Ngozi Nils Noor Olga Omar "
    "Oscar Paula Petra Priya Rafael Rashid Renée Rosa Samir Sara Siobhán Sofia Sven Tariq Tomás Uma Vera Victor "
    "Wanjiru Xin Yara Yusuf Zoë"
)
FIRST_NAMES = _FIRST_NAMES.split()
_LAST_NAMES = (
    "Abebe Adeyemi Ahmed Almeida Andersen Bakker Baptiste Bauer Becker Bianchi Brown Carvalho Castro Chan Cohen "
    "Costa Dahl Diaz Dubois Eriksen Evans Fischer Flores Fournier García Gomez Green Gruber Gupta Haddad Hansen "
    "Hassan Hayashi Hoffmann Huang Ibrahim Ito Ivanov Jansen Johnson Jones Kaya Keller Khan Kim King Kowalski "
    "Kumar Larsen Lee Lefèvre Li Lopez Martin Mbeki Meyer Miller Moreau Müller Nakamura Nguyen Nielsen Novak "
    "Nowak Okafor Olsen Ortiz Park Patel Pereira Petrov Popescu Ramos Reyes Ricci Rossi Ruiz Sato Schmidt "
    "Schneider Silva Singh Smith Sokolov Sørensen Suzuki Tanaka Taylor Torres Tran Turner Vargas Virtanen Wagner "
    "Walker Wang Weber White Williams Wong Yamada Yilmaz"
)
LAST_NAMES = _LAST_NAMES.split()
PLACES = (
    ("Berlin", "BE", "10115", "Germany"),
    ("Boston", "MA", "02108", "United States"),
    ("Chennai", "TN", "600001", "India"),
    ("Lagos", "LA", "100001", "Nigeria"),
    ("Lyon", "ARA", "69001", "France"),
    ("München", "BY", "80331", "Germany"),
    ("Osaka", "27", "530-0001", "Japan"),
    ("Porto", "13", "4000-001", "Portugal"),
    ("San Francisco", "CA", "94105", "United States"),
    ("São Paulo", "SP", "01000-000", "Brazil"),
    ("Tallinn", "37", "10111", "Estonia"),
    ("Zürich", "ZH", "8001", "Switzerland"),
)
STREETS = ("Hauptstraße", "Main St", "Harbour Road", "Rue de la Paix", "Market Square", "Mill Lane", "Rua do Ouro")
_COMPANY_WORDS = (
    "Alpine Amber Arctic Atlas Beacon Blue Bright Cedar Cobalt Copper Coral Delta Eagle Ember Falcon Forest "
    "Granite Green Harbor Indigo Iron Juniper Lakeside Lumen Maple Meridian Metro Nordic North Oak Ocean Orbit "
    "Pacific Pine Pioneer Quartz River Rocky Sable Silver Solar Spruce Stellar Summit Terra Tidal Timber Union "
    "Vertex Willow"
)
COMPANY_WORDS = _COMPANY_WORDS.split()
_COMPANY_KINDS = (
    "Analytics Bakery Bank Biotech Builders Ceramics Clinics Consulting Dairy Dynamics Electric Energy Farms "
    "Foods Foundry Freight Garments Glass Health Hotels Insurance Labs Logistics Machines Media Mining Motors "
    "Networks Optics Paper Partners Pharma Plastics Press Robotics Shipping Software Steel Systems Textiles Tools "
    "Trading Water Works"
)
COMPANY_KINDS = _COMPANY_KINDS.split()
COMPANY_FORMS = ("Inc.", "Ltd", "GmbH", "S.A.", "LLC", "AG", "AB", "& Sons")
TITLES = ("CEO", "CFO", "Buyer", "Head of Operations", "Sales Manager", "VP, Technology", "Engineer", "Office Manager")
DEPARTMENTS = ("Finance", "IT", "Legal", "Marketing", "Operations", "Purchasing", "R&D", "Sales")
SENTENCES = (
    "Met at the spring fair.",
    "Prefers to be called in the morning.",
    "Renewal is due next quarter; price is the main concern.",
    "Asked for a reference customer in the same trade.",
    "Budget approved, waiting for legal.",
    "Wants delivery before the summer break.",
)
ZERO_WIDTH = "\u200b"
NASTY_TEXTS = (
    "👩‍👩‍👧‍👦 family 🇪🇺 😀",
    "محمد عبد الله",
    "שלום עולם 123",
    'two\r\nlines and "quotes", comma; semi\ttab',
    "=1+1",
    "00123",
    "null",
    "NULL",
    "#N/A",
    "true",
    "O'Brien \\ back\\slash \\' and `tick`",
    "first\nsecond\n\nfourth",
    "a\rb",
    '"""',
    '\'; DROP TABLE "Contact"; --',
    "<b>bold</b> &amp; &lt;tag&gt;",
    "@SUM(A1:A9)",
    "+49 0123",
    "-1",
    "NaN",
    "None",
    "undefined",
    "\\N",
    "1E5",
    "2024-01-15",
    "0",
    "ﬃ Å Å é",
    f"zero{ZERO_WIDTH}width\u00a0nbsp\u2028line",
    "日本語テキスト 漢字",
    "%_% {k} ${x} {{y}}",
    '{"json": [1, null]}',
    ",",
    ";;;",
    "_x000D_ and \u0085",
)
EXTREME_DATES = ("1700-01-01", "4000-12-31", "1969-12-31", "2000-02-29", "1752-09-14", "2038-01-19")
EXTREME_MOMENTS = (
    "1700-01-01T00:00:00Z",
    "4000-12-31T23:59:59Z",
    "1969-12-31T23:59:59Z",
    "2024-02-29T23:59:59Z",
    "1970-01-01T00:00:00Z",
    "2038-01-19T03:14:08Z",
)
PLACE_FIELDS = {"City": 0, "State": 1, "PostalCode": 2, "Country": 3}


def long_text(length: int) -> str:
    """Return a text of exactly `length` characters with lines, quotes and emoji in it, and none of them at its ends."""
    unit = 'Lorem "ipsum" dolor, sit amet;\r\nconsectetur 😀 adipiscing\n'
    return (unit * (length // len(unit) + 1))[: length - 1] + "."


def company(rng: random.Random) -> str:
    """Return a made-up company name."""
    return f"{rng.choice(COMPANY_WORDS)} {rng.choice(COMPANY_KINDS)} {rng.choice(COMPANY_FORMS)}"


def slug(text: str) -> str:
    """Return a name as it would stand in a mail address."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "".join(char for char in plain if char.isalnum()) or "x"


def realistic(one: SField, rng: random.Random, place: tuple[str, ...]) -> Value:
    """Return a plausible value for a field, by its name or its type; null now and then."""
    if one.compound and one.compound != "Name":
        return _place_part(one, rng, place)
    if one.nillable and rng.random() < 0.35:
        return None
    named = _BY_NAME.get(one.name)
    if named is not None:
        return rng.choice(named)
    return _by_type(one, rng)


_BY_NAME = {
    "FirstName": tuple(FIRST_NAMES),
    "LastName": tuple(LAST_NAMES),
    "Title": TITLES,
    "Department": DEPARTMENTS,
    "Description": SENTENCES,
    "AssistantName": tuple(FIRST_NAMES),
    "NextStep": ("Call", "Send offer", "Visit", "Demo"),
    "Site": ("HQ", "Plant 2", "Warehouse"),
}


def _place_part(one: SField, rng: random.Random, place: tuple[str, ...]) -> Value:
    for part, position in PLACE_FIELDS.items():
        if one.name.endswith(part):
            return place[position] if place else None
    if one.name.endswith("Street"):
        return f"{rng.choice(STREETS)} {rng.randint(1, 199)}" if place else None
    if one.type == "double" and one.name.endswith("__s"):
        return canonical(rounded(Decimal(str(rng.uniform(-89, 89))), one.scale))
    return None


def _by_type(one: SField, rng: random.Random) -> Value:
    if one.type == "picklist":
        return _choose(one, rng)
    if one.type == "multipicklist":
        values = [known.value for known in one.picklist]
        return ";".join(sorted(rng.sample(values, rng.randint(1, len(values))), key=values.index))
    if one.type == "phone":
        return f"+{rng.randint(1, 99)} {rng.randint(100, 999)} {rng.randint(100000, 9999999)}"
    if one.type == "url":
        return f"https://www.{rng.choice(COMPANY_WORDS).lower()}{rng.randint(1, 999)}.example"
    if one.type == "email":
        return f"{slug(rng.choice(FIRST_NAMES))}@example.com"
    if one.type in NUMBER_TYPES:
        return _number(one, rng)
    return _plain(one, rng)


def _plain(one: SField, rng: random.Random) -> Value:
    if one.type == "boolean":
        return int(rng.random() < 0.3)
    if one.type == "int":
        return rng.randint(1, 50_000)
    if one.type == "date":
        return f"{rng.randint(1950, 2027)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    if one.type == "datetime":
        return rng.randint(1_600_000_000, 1_800_000_000) * 1000
    if one.type == "time":
        return f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:00.000Z"
    if one.type == "textarea":
        return " ".join(rng.sample(SENTENCES, 2))[: one.length].strip()
    if one.type in ("string", "encryptedstring"):
        return f"{rng.choice(COMPANY_WORDS)} {rng.randint(1, 99)}"[: one.length].strip()
    return None


def _choose(one: SField, rng: random.Random) -> str | None:
    values = [known.value for known in one.picklist if known.active]
    return rng.choice(values) if values else None


def _number(one: SField, rng: random.Random) -> str:
    digits = min(one.precision - one.scale, 6)
    number = Decimal(rng.randint(0, 10 ** (digits + one.scale) - 1)).scaleb(-one.scale)
    return canonical(number)


def nasty(one: SField, turn: int) -> Value:
    """Return the `turn`-th nasty value of a field: texts that look like something else, and extremes."""
    if one.type in ("string", "textarea", "encryptedstring"):
        if turn % 7 == 5:  # full length; the really long ones only once in a while, or the org would grow to gigabytes
            return long_text(one.length if turn < 12 else min(one.length, 255))
        return NASTY_TEXTS[turn % len(NASTY_TEXTS)][: one.length].strip() or None
    if one.type in NUMBER_TYPES:
        return _extreme(one, turn)
    if one.type == "date":
        return EXTREME_DATES[turn % len(EXTREME_DATES)]
    if one.type == "datetime":
        return parse_datetime(EXTREME_MOMENTS[turn % len(EXTREME_MOMENTS)])
    if one.type == "time":
        return ("00:00:00.000Z", "23:59:59.999Z", "12:34:56.789Z")[turn % 3]
    if one.type == "phone":
        return ("00123", "+1 (555) 010-0000 ext. 9", "☎ 0800-CALL")[turn % 3]
    if one.type == "int":
        return (0, -(10**one.digits - 1), 10**one.digits - 1, 1)[turn % 4]
    return None


def _extreme(one: SField, turn: int) -> str:
    largest = Decimal("9" * one.precision).scaleb(-one.scale)
    smallest = Decimal(1).scaleb(-one.scale)
    odd = Decimal("1234567890123456789"[: one.precision]).scaleb(-one.scale)
    return canonical((largest, -largest, smallest, Decimal(0), odd, -smallest)[turn % 6])
