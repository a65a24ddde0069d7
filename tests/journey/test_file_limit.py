"""A file that may not grow any more, as on a disk of FAT32 or under a limit of the system's."""

import subprocess


def test_a_file_that_may_not_grow_fails_the_sync_and_nothing_is_lost(user, simorg):
    limited = subprocess.run(
        ["bash", "-c", 'ulimit -f 140; exec "$@"', "bash", *user.command("sync")],
        cwd=user.folder,
        env=user.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )

    ran = user("sync")

    assert limited.returncode == 1
    assert "Check the disk" in limited.stderr
    assert ran.code == 0
    rows = user("query", "--json", "SELECT count(*) AS rows FROM Contact").json["rows"]
    assert rows == [{"rows": simorg.count("Contact")}]
