"""The unit for systemd, as systemd itself sees it."""

import getpass
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from salesforce_sync.errors import Misuse
from salesforce_sync.process.service import NAME, Service, install, unit


def service(user="nobody", folder=Path("/tmp")):
    command = (sys.executable, "-m", "salesforce_sync.cli", "--config", f"{folder}/50% $of my config.yaml", "daemon")
    return Service(command, folder, (folder,), user)


@pytest.mark.parametrize("user", [getpass.getuser(), None])
def test_systemd_finds_nothing_wrong_with_it(tmp_path, user):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    path = tmp_path / NAME
    path.write_text(unit(service(user, tmp_path)))
    manager = ["--user"] if user is None else []

    done = subprocess.run(["systemd-analyze", *manager, "verify", path], capture_output=True, text=True, timeout=60)

    # Of other units of this machine it may have something to say too.
    assert [line for line in done.stderr.splitlines() if NAME in line] == []


def test_a_service_of_the_system_is_shut_off_and_may_write_where_the_database_is():
    text = unit(service(folder=Path("/srv/my data")))

    assert 'ReadWritePaths="/srv/my data"' in text
    assert "ProtectSystem=strict" in text
    assert "User=nobody" in text
    assert "Type=notify" in text
    assert "50%% $$of my config.yaml" in text


def test_a_service_of_ones_own_has_no_user_and_goes_where_its_manager_looks(tmp_path):
    path = install(service(None), {"HOME": str(tmp_path)})

    assert path == tmp_path / ".config/systemd/user" / NAME
    assert "User=" not in path.read_text()
    assert "WantedBy=default.target" in path.read_text()


def test_a_unit_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / ".config").write_text("no folder")

    with pytest.raises(Misuse, match="cannot be written"):
        install(service(None), {"HOME": str(tmp_path)})
