"""An error that names a command says what does the same over HTTP."""

import ast
import re
from pathlib import Path

import pytest

import salesforce_sync
from salesforce_sync.web.ways import HERE_ONLY, for_people, for_programs

ROOT = Path(salesforce_sync.__file__).parent
OF_THE_COMMAND_LINE = {"cli.py", "commands", "process", "reports", "doctor", "connecting"}
COMMAND = re.compile(r"salesforce-sync [a-z]")


def texts_of(tree):
    """The texts of a module that are no docstrings."""
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in told)
    return [node.value for node in constants if isinstance(node.value, str)]


def naming_a_command():
    for file in sorted(ROOT.rglob("*.py")):
        place = file.relative_to(ROOT)
        if place.parts[0] not in OF_THE_COMMAND_LINE:
            yield from (
                pytest.param(text, id=f"{place}: {text[:50]}")
                for text in texts_of(ast.parse(file.read_text("utf-8")))
                if COMMAND.search(text)
            )


@pytest.mark.parametrize("text", list(naming_a_command()))
def test_every_text_below_the_doors_that_names_a_command_has_its_way_over_http(text):
    assert for_programs(text).startswith(f"{text} Over HTTP: ")


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("Run 'salesforce-sync sync Lead' first.", 'POST /api/sync with {"objects": [...]}'),
        ("salesforce-sync sync Lead --accept-loss Lead", 'POST /api/sync with {"objects": [...], "acceptLoss": [...]}'),
        ("Use `salesforce-sync user add NAME`.", HERE_ONLY),
        ("See 'salesforce-sync inbox'.", "GET /api/inbox"),
        ("salesforce-sync inbox take 5 org", 'POST /api/inbox/{number} with {"action": "take"}'),
        ("'salesforce-sync pushes' lists them.", "GET /api/pushes"),
        (
            "Give it: salesforce-sync import WORKBOOK --password",
            "POST /api/workbook with X-Workbook-Password",
        ),
        ("Run `salesforce-sync connect` again.", "POST /api/connections/{connectionId}/connect"),
    ],
)
def test_the_way_is_that_of_the_whole_command(text, way):
    assert for_programs(text) == f"{text} Over HTTP: {way}."


@pytest.mark.parametrize(
    "text", ["It ends too early.", "pip install 'salesforce-sync[cdc]'", "salesforce-sync syncing"]
)
def test_a_text_without_a_command_stays_as_it_is(text):
    assert for_programs(text) == text
    assert for_people(text) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "No credentials. Run 'salesforce-sync connect'.",
            "No credentials. Log in to the org on the screen of connections.",
        ),
        (
            "A is not here. Run 'salesforce-sync sync A' first.",
            "A is not here. Select it on the screen of objects, and sync it.",
        ),
        (
            "30 of 40 rows of A are gone. If that is right, say so: salesforce-sync sync A --accept-loss A",
            "30 of 40 rows of A are gone. Nothing was removed here. If that is right, press “Remove them here too” at"
            " its row among the objects, or have an editor do so.",
        ),
        ("It is full. See `salesforce-sync doctor`.", "It is full. See `salesforce-sync doctor`."),
    ],
)
def test_a_person_at_the_page_is_told_what_to_click(text, told):
    assert for_people(text) == told
