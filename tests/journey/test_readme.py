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


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


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


def test_every_command_works_in_the_order_in_which_it_stands_there(clone, simorg):
    failed = []
    for line in commands():
        if "make " in line or line.endswith(" daemon"):
            continue  # the next two tests
        done = in_a_shell(clone, line)
        if done.returncode:
            failed.append((line, done.returncode, done.stderr))
        if line.startswith("cp "):
            edit_dotenv(clone, simorg)

    assert failed == []
    assert (clone.folder / "data/salesforce.db").is_file()


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


def test_the_python_example_runs(clone, simorg):
    shutil.copy(clone.folder / ".env.example", clone.folder / ".env")
    edit_dotenv(clone, simorg)
    simorg.add("Contact", FirstName="Jane", LastName="Doe", Email="jane@example.com")
    assert clone("sync").code == 0
    assert clone("sync", "Product2").code == 0
    (code,) = blocks("python")
    (row,) = clone("query", "SELECT Id FROM Contact WHERE LastName = 'Doe'", "--json").json["rows"]
    (clone.folder / "example.py").write_text(code.replace("003...", row["Id"]) + "print(contact.name, len(products))\n")

    done = in_a_shell(clone, "python example.py")

    assert (done.returncode, done.stderr) == (0, "")
    assert "Jane Doe <jane@example.com>" in done.stdout.splitlines()
    assert done.stdout.splitlines()[-1] == f"Jane Doe {simorg.count('Product2')}"
