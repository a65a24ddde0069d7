"""Private folders of this process and of one that is killed."""

import subprocess
import sys

from salesforce_sync.web.folders import PrivateFolder, private_folder, sweep

MAKES_ONE = """
import sys, time
from pathlib import Path
from salesforce_sync.web.folders import PrivateFolder
kept = PrivateFolder(Path(sys.argv[1]))
print(kept.path, flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_has_left_is_swept_away_and_what_is_in_use_is_not(tmp_path):
    mine = PrivateFolder(tmp_path)
    with subprocess.Popen([sys.executable, "-c", MAKES_ONE, tmp_path], stdout=subprocess.PIPE, text=True) as other:
        theirs = other.stdout.readline().strip()
        (tmp_path / theirs / "book.xlsx").write_bytes(b"x")
        sweep(tmp_path)
        while_it_runs = {each.name for each in tmp_path.iterdir()}
        other.kill()
    sweep(tmp_path)

    assert while_it_runs == {mine.path.name, theirs.rpartition("/")[2]}
    assert list(tmp_path.iterdir()) == [mine.path]


def test_a_folder_is_its_owners_alone_and_goes_with_its_block(tmp_path):
    with private_folder(tmp_path) as folder:
        mode = folder.stat().st_mode & 0o777

    assert mode == 0o700
    assert list(tmp_path.iterdir()) == []


def test_what_only_looks_like_one_is_left(tmp_path):
    (tmp_path / "workbook-notes.txt").write_text("x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "workbook-link").symlink_to(tmp_path / "elsewhere")

    sweep(tmp_path)

    assert len(list(tmp_path.iterdir())) == 3
