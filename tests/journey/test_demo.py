"""`demo`: a first look without an account, whose last words can be copied into a shell."""

import json
import os
import pty
import signal
import stat
import subprocess

from tests.journey.test_daemon import read_until


def test_without_a_terminal_it_ends_with_a_table_and_commands_that_work(cli):
    done = cli("demo", "--records", "400")

    assert done.code == 0
    assert "\x1b" not in done.out + done.err
    assert "Contact: 400 of 400 rows" in done.err
    words = [line.split() for line in done.out.splitlines()]
    assert ["Contact", "400"] in words
    assert any("rows/s" in line and "API calls" in line for line in done.out.splitlines())
    assert f"The database: {cli.folder / 'demo/salesforce.db'}" in done.out
    commands = [line.strip() for line in done.out.splitlines() if line.startswith("  ")]
    tried = [
        subprocess.run(line, shell=True, cwd=cli.folder, env=cli.environment, capture_output=True, text=True)
        for line in commands
    ]
    assert [(each.returncode, each.stderr) for each in tried] == [(0, "")] * 5
    assert all(each.stdout.strip() for each in tried)


def test_as_json_it_is_one_document(cli):
    done = cli("demo", "--records", "20", "--json")

    assert done.err == ""
    assert done.json["state"] == "complete"
    assert {each["object"]: each["rows"] for each in done.json["objects"]}["Contact"] == 20
    assert (cli.folder / "demo/salesforce.db").samefile(done.json["database"])


def test_it_is_made_anew_each_time(cli):
    cli("demo", "--records", "30", "--folder", "here")
    (cli.folder / "here/salesforce.db-left").write_text("by the first")

    again = cli("demo", "--records", "20", "--folder", "here", "--json")

    assert {each["object"]: each["inserted"] for each in again.json["objects"]}["Contact"] == 20
    assert not (cli.folder / "here/salesforce.db-left").exists()


def test_a_folder_of_somebody_else_is_left_alone(cli):
    (cli.folder / "demo").mkdir()
    (cli.folder / "demo/config.yaml").write_text("sync: {batch_size: 5}\n")

    done = cli("demo", "--records", "20")

    assert done.code == 2
    assert "--folder" in done.err
    assert (cli.folder / "demo/config.yaml").read_text() == "sync: {batch_size: 5}\n"


def test_a_real_org_in_the_environment_is_not_touched(cli, simorg):
    """The demo logs in to its own org, whatever names somebody's shell or folder has set."""
    cli.settle(simorg.url)

    done = cli("demo", "--records", "20", SF_INSTANCE_URL=simorg.url, SF_ACCESS_TOKEN="x", SF_STORAGE_PATH="mine.db")

    assert done.code == 0
    assert simorg.usage.used == 0
    assert not (cli.folder / "mine.db").exists()


def test_its_files_are_private(cli):
    cli("demo", "--records", "20")

    secret = [each for each in (cli.folder / "demo").rglob("*") if each.name != "config.yaml"]
    assert {each.name for each in secret} >= {".env", "salesforce.db", "salesforce.db.connection"}
    assert [each.name for each in secret if stat.S_IMODE(each.stat().st_mode) & 0o077] == []
    assert stat.S_IMODE((cli.folder / "demo").stat().st_mode) == 0o700


def test_the_simulated_org_ends_with_it(cli):
    running = cli.start("demo", "--records", "20")
    assert running.stdout is not None
    port = next(line for line in running.stdout if "It answers at" in line).split(":")[2].split(".")[0]
    running.communicate(timeout=60)

    listening = subprocess.run(["cat", "/proc/net/tcp"], capture_output=True, text=True).stdout
    own = [line.split() for line in listening.splitlines()[1:]]
    assert running.returncode == 0
    assert not [each for each in own if each[1].endswith(f":{int(port):04X}") and each[3] == "0A"]


def test_ctrl_c_ends_it_and_the_simulated_org(cli):
    import signal

    running = cli.start("demo", "--records", "20000")
    assert running.stdout is not None
    assert "Making" in running.stdout.readline()
    children = subprocess.run(["pgrep", "-P", str(running.pid)], capture_output=True, text=True).stdout.split()
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)

    assert running.returncode == 130
    assert [pid for pid in children if os.path.exists(f"/proc/{pid}")] == []


def test_at_a_terminal_it_goes_on_to_serve_until_ctrl_c(cli):
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        cli.command("demo", "--records", "20"),
        cwd=cli.folder,
        env=cli.environment,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    told = read_until(running.stdout, "curl")
    curl = next(line.strip() for line in told.splitlines() if line.strip().startswith("curl"))

    done = subprocess.run(curl, shell=True, capture_output=True, text=True, timeout=60)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=20)
    os.close(ours)
    os.close(theirs)

    assert json.loads(done.stdout)["recordCount"] == 20
    assert "Serving at http://127.0.0.1:" in told
    assert (running.returncode, "Traceback" in err) == (0, False)
