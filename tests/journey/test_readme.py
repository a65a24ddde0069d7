"""The README does what it says: its commands and its Python run as they stand there, against a simulated org."""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simorg.clients import CLIENT_ID, CLIENT_SECRET

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


STORE = (ROOT / "docs/store.md").read_text(encoding="utf-8")


def blocks(language, text=README):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands():
    lines = [line.split("  #")[0].strip() for block in blocks("bash") for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture
def clone(cli, simorg):
    """What a clone has, as far as the README's commands need it."""
    for name in ("requirements.txt", ".env.example", "config.yaml"):
        shutil.copy(ROOT / name, cli.folder)
    return cli


def in_a_shell(cli, line):
    return subprocess.run(
        line, shell=True, cwd=cli.folder, env=cli.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def edit_dotenv(cli, simorg):
    """What the README asks a person to do by hand after `cp .env.example .env`."""
    with (cli.folder / ".env").open("a") as dotenv:
        dotenv.write(f"SF_INSTANCE_URL={simorg.url}\nSF_CLIENT_ID={CLIENT_ID}\nSF_CLIENT_SECRET={CLIENT_SECRET}\n")


def python(cli, code):
    (cli.folder / "example.py").write_text(code)
    return in_a_shell(cli, "python example.py")


@pytest.fixture
def jane(clone, simorg):
    """A contact in a clone that is connected and has synced; the examples write its id as 003..."""
    shutil.copy(clone.folder / ".env.example", clone.folder / ".env")
    edit_dotenv(clone, simorg)
    jane = simorg.add("Contact", FirstName="Jane", LastName="Doe", Email="jane@example.com", Phone="555-0000")
    assert clone("sync").code == 0
    return jane


def test_every_command_works_in_the_order_in_which_it_stands_there(clone, simorg):
    jane = simorg.add("Contact", FirstName="Jane", LastName="Doe")
    failed = []
    for line in commands():
        if "make " in line or line.endswith((" daemon", " serve")):
            continue  # the next two tests, and tests/journey/test_serve.py
        done = in_a_shell(clone, line.replace("003...", jane))
        if done.returncode:
            failed.append((line, done.returncode, done.stderr))
        if line.startswith("cp "):
            edit_dotenv(clone, simorg)

    assert failed == []
    assert (clone.folder / "data/salesforce.db").is_file()
    assert simorg.row(jane)["Phone"] == "555-1234"


def test_the_daemon_starts_as_it_stands_there(clone, simorg):
    shutil.copy(clone.folder / ".env.example", clone.folder / ".env")
    edit_dotenv(clone, simorg)
    (line,) = [line for line in commands() if line.endswith(" daemon")]
    words = line.split()
    running = subprocess.Popen(
        [sys.executable, *words[1:]], cwd=clone.folder, env=clone.environment, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    told = next((each for each in running.stdout if "sync_complete" in each), "")
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=3)

    assert words[0] == "python"
    assert told
    assert running.returncode == 0


def test_every_make_command_exists():
    lines = [line for line in commands() if "make " in line]

    done = [subprocess.run(f"{line} --dry-run", shell=True, cwd=ROOT, capture_output=True) for line in lines]

    assert lines
    assert [each.returncode for each in done] == [0] * len(lines)


def test_the_python_example_runs(clone, simorg, jane):
    assert clone("sync", "Product2").code == 0
    code = blocks("python")[0].replace("003...", jane)

    done = python(clone, code + "print(contact.name, new_contact.id[:6], len(products))\n")

    assert (done.returncode, done.stderr) == (0, "")
    assert "Jane Doe <jane@example.com>" in done.stdout.splitlines()
    assert done.stdout.splitlines()[-1] == f"Jane Doe local- {simorg.count('Product2')}"


def test_what_the_python_example_wrote_reaches_salesforce_with_the_next_sync(clone, simorg, jane):
    assert clone("sync", "Product2").code == 0
    python(clone, blocks("python")[0].replace("003...", jane))
    before = simorg.count("Contact")

    assert clone("sync").code == 0

    assert simorg.row(jane)["Phone"] == "555-1234"
    assert simorg.count("Contact") == before + 1


def test_the_conflict_is_made_and_solved(clone, simorg, jane):
    code = blocks("python")[1].replace("003...", jane)

    done = python(clone, code)

    assert (done.returncode, done.stderr) == (0, "")
    assert "base='555-0000', local='555-1111', org='555-2222'" in done.stdout
    assert simorg.row(jane)["Phone"] == "555-1111"
    assert len(code.strip().splitlines()) <= 12


def test_the_sql_in_the_docs_writes_edits_that_the_next_push_sends(clone, simorg, jane):
    (statements,) = blocks("sql", STORE)
    account = clone("query", "SELECT Id FROM Account LIMIT 1", "--json").json["rows"][0]["Id"]
    script = statements.replace("003...", jane).replace("001...", account)
    before = simorg.count("Contact")

    done = python(
        clone, f"import sqlite3\nwith sqlite3.connect('data/salesforce.db') as db:\n    db.executescript({script!r})\n"
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert clone("push").code == 0
    assert (simorg.row(jane)["Phone"], bool(simorg.row(jane)["IsDeleted"])) == ("555-1234", False)
    assert simorg.count("Contact") == before + 1
