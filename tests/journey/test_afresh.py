"""Every command, each in a Python that starts for it: nothing that it needs was loaded by another before.

Elsewhere most commands are forked from a process that has the modules loaded (`tests/loaded.py`).
"""

import json

import click
import pytest

from salesforce_sync.cli import commands
from salesforce_sync.process.exits import Exit

COMMANDS = [
    ("init", 0),
    ("connect", 0),
    ("connections", 0),
    ("doctor", 0),
    ("objects", 0),
    ("sync", 0),
    ("verify", 0),
    ("status", 0),
    ("query|SELECT Id FROM Contact", 0),
    ("edit Contact JANE Phone=1", 0),
    ("new Contact LastName=Roe", 0),
    ("diff", 0),
    ("push", 0),
    ("pushes", 0),
    ("history Contact JANE", 0),
    ("rm Contact JANE", 0),
    ("undelete Contact JANE", 0),
    ("undo nothing", 6),
    ("inbox", 0),
    ("inbox show 7", 6),
    ("inbox take 7 org", 6),
    ("inbox drop 7", 6),
    ("inbox retry 7", 6),
    ("inbox link 7 JANE", 6),
    ("export Contact", 0),
    ("import Revenue_Cloud_Data.xlsx", 0),
    ("user add vera", 0),
    ("user list", 0),
    ("user role vera editor", 0),
    ("connections share default vera", 2),
    ("connections unshare default vera", 2),
    ("user revoke vera", 0),
    ("audit show", 0),
    ("audit verify", 0),
    ("signals", 0),
    ("signals list", 0),
    ("signals sinks", 0),
    ("signals dead nowhere", 0),
    ("signals retry nowhere", 0),
    ("signals forget nobody", 0),
    ("signals secret", 0),
    ("signals send|✔️ OS → FND : sync", 2),
    ("service install --print", 0),
    ("sync Contact Contakt", 3),
    ("connections remove default", 2),
    ("sync --bogus", 2),
]
STARTED = {"daemon", "serve", "demo", "events"}
"""They go on until they are ended; tests of their own start them, as processes like these."""


def words(command):
    name, bar, last = command.partition("|")
    return [*name.split(), *([last] if bar else [])]


def every(command, name=()):
    """The names of all commands, as `inbox show`."""
    if not isinstance(command, click.Group) or (name and command.invoke_without_command):
        yield " ".join(name)
    if isinstance(command, click.Group):
        for key, each in command.commands.items():
            yield from every(each, (*name, key))


def parsed(text):
    """The document that was printed, or None."""
    try:
        return json.loads(text)
    except ValueError:
        return None


@pytest.fixture
def jane(user, simorg):
    user.settle(simorg.url, objects="Contact, Account")
    return simorg.add("Contact", FirstName="Jane", LastName="Doe")


def test_every_command_runs_in_a_python_of_its_own(user, jane):
    done = []
    for command, _ in COMMANDS:
        ran = user.afresh(*(jane if word == "JANE" else word for word in words(command)), "--json")
        assert parsed(ran.out) or "ExecStart=" in ran.out, (command, ran)
        done.append((command, ran.code))

    assert done == COMMANDS
    ran = [" ".join([*words(command), ""]) for command, _ in COMMANDS]
    named = {name for name in every(commands) if any(each.startswith(f"{name} ") for each in ran)}
    assert set(every(commands)) - named == STARTED


def test_a_call_is_answered_as_a_python_of_its_own_answers(cli, user):
    for command in (["init"], ["status", "--json"], ["query", "SELECT 'é→😀', 1"], ["query"], ["inbox", "show", "x"]):
        forked, afresh = cli(*command), cli.afresh(*command)

        assert forked == afresh
    assert cli("status", LANG="C") == cli.afresh("status", LANG="C")


def test_what_ends_a_command_without_credentials_or_calls_or_an_org(cli, simorg):
    no_one = cli.afresh("sync")
    cli.settle(simorg.url)
    simorg.usage.reset(used=simorg.usage.limit)
    used_up = cli.afresh("sync")
    cli.settle("http://127.0.0.1:9")
    elsewhere = cli.afresh("init")

    assert (no_one.code, used_up.code, elsewhere.code) == (Exit.LOGIN, Exit.LIMIT, Exit.FAILED)
