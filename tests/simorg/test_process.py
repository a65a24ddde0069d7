"""simorg as a process of its own: however it ends, nothing of it stays."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from simorg import folder
from simorg.org import SimOrg
from tests.plain import PLAIN

ROOT = Path(__file__).parents[2]
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-m", "simorg", *sys.argv[1:]])
time.sleep(600)
"""


def command(ready: Path, *more: str) -> list[str]:
    return ["-m", "simorg", "--port", "0", "--records", "0", "--ready-file", str(ready), *more]


@contextmanager
def started(arguments: list[str], temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """A Python process whose temporary files lie in a folder of their own."""
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


ENDING = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGXCPU"]


@pytest.mark.parametrize("name", ENDING)
def test_any_signal_ends_it_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with started(command(tmp_path / "ready"), temporary) as process:
        wait_for(tmp_path / "ready", process)
        during = list(temporary.iterdir())
        process.send_signal(getattr(signal, name))
        output, errors = process.communicate(timeout=60)

    assert len(during) == 1
    assert list(temporary.iterdir()) == []
    assert (process.returncode, errors) == (0, "")
    assert output.endswith("simorg: stopped\n")


def test_a_signal_during_the_making_ends_it_too(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    arguments = ["-m", "simorg", "--port", "0", "--records", "300000", "--ready-file", str(tmp_path / "ready")]
    with started(arguments, temporary) as process:
        while not list(temporary.glob("*/org.db")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=60)

    assert not (tmp_path / "ready").exists()
    assert list(temporary.iterdir()) == []
    assert process.returncode == 0


def test_what_a_killed_one_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with (
        started(command(tmp_path / "living"), temporary) as living,
        started(command(tmp_path / "killed"), temporary) as killed,
    ):
        wait_for(tmp_path / "living", living)
        wait_for(tmp_path / "killed", killed)
        (temporary / f"{folder.PREFIX}of-somebody-else").mkdir()
        killed.kill()
        killed.wait()
        left = len(list(temporary.iterdir()))
        with started(command(tmp_path / "next"), temporary) as following:
            wait_for(tmp_path / "next", following)
            cleared = len(list(temporary.iterdir()))
            url = json.loads((tmp_path / "living").read_text())["url"]
            alive = httpx2.get(f"{url}/_control/state", verify=PLAIN).status_code
            for process in (living, following):
                process.terminate()
                process.wait(60)

    assert (left, cleared, alive) == (3, 3, 200)
    assert [path.name for path in temporary.iterdir()] == [f"{folder.PREFIX}of-somebody-else"]


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    arguments = ["-c", PARENT, *command(tmp_path / "ready", "--exit-with-parent")[2:]]
    with started(arguments, temporary) as parent:
        wait_for(tmp_path / "ready", parent)
        url = json.loads((tmp_path / "ready").read_text())["url"]
        before = httpx2.get(f"{url}/_control/state", verify=PLAIN).status_code
        parent.kill()
        while list(temporary.iterdir()):
            time.sleep(0.05)

    assert before == 200
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{url}/_control/state", verify=PLAIN)


def test_an_ignored_hang_up_stays_ignored(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    code = "import signal, sys, runpy; signal.signal(signal.SIGHUP, signal.SIG_IGN); sys.argv[0] = 'simorg'"
    run = "; runpy.run_module('simorg', run_name='__main__')"
    with started(["-c", code + run, *command(tmp_path / "ready")[2:]], temporary) as process:
        wait_for(tmp_path / "ready", process)
        process.send_signal(signal.SIGHUP)
        url = json.loads((tmp_path / "ready").read_text())["url"]
        alive = [httpx2.get(f"{url}/_control/state", verify=PLAIN).status_code for _ in range(20)]
        process.terminate()
        process.communicate(timeout=60)

    assert alive == [200] * 20


def test_an_org_in_python_removes_its_folder() -> None:
    with SimOrg() as org:
        path = org.database.path.parent
        there = path.exists()
        kept = folder.remove_stale()

    assert there and path not in kept
    assert not path.exists()


def test_without_time_zone_data_it_says_so_at_once() -> None:
    code = "import sys; sys.modules['tzdata'] = None; from simorg.org import SimOrg; SimOrg()"
    environment = os.environ | {"PYTHONTZPATH": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert "install the package tzdata" in done.stderr
