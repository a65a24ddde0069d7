"""What the house plan says of imports: light at the door, nothing heavy in the rooms that think."""

import subprocess
import sys

import pytest

HEAVY = ("pydantic", "pydantic_core", "rich", "click", "httpx2", "httpcore2", "cryptography", "jwt", "hypothesis")
DOORS = {
    "salesforce_sync": (*HEAVY, "sqlite3", "asyncio", "csv", "salesforce_sync.api.client", "salesforce_sync.testing"),
    "salesforce_sync.sync.engine": (*HEAVY, "sqlite3", "asyncio"),
    "salesforce_sync.testing": (*HEAVY, "sqlite3", "asyncio", "pytest"),
}


def loaded_by(module):
    code = f"import {module}, sys; print('\\n'.join(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(shown.stdout.split())


@pytest.mark.parametrize("module", DOORS)
def test_importing_brings_nothing_heavy(module):
    assert loaded_by(module) & set(DOORS[module]) == set()


def test_the_promised_names_are_at_the_door():
    code = "from salesforce_sync import SFSync, Contact, Lead, Account, Opportunity, Config; print(Contact.api_name)"

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert shown.stdout.strip() == "Contact"


def test_every_module_can_be_imported_alone():
    code = (
        "import importlib, pkgutil, salesforce_sync as s\n"
        "for each in pkgutil.walk_packages(s.__path__, 'salesforce_sync.'):\n"
        "    importlib.import_module(each.name); print(each.name)"
    )

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert {"salesforce_sync.cli", "salesforce_sync.api.client", "salesforce_sync.testing"} <= set(shown.stdout.split())
