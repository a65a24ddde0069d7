"""Every promised error is reachable, says what to do, and ends with its exit code; no secret is in any of it."""

import json
import subprocess

import pytest

from simorg.clients import CLIENT_SECRET


def problems(done):
    return {each["object"]: each["problem"] and each["problem"]["code"] for each in done.json["objects"]}


def test_invalid_session_id(cli, simorg):
    cli.settle(simorg.url)
    (cli.folder / ".env").write_text("SF_ACCESS_TOKEN=00Dxx0000000001!pasted.and.expired\n")

    text, document = cli("sync", "Contact"), cli("sync", "Contact", "--json")

    assert (text.code, document.code) == (4, 4)
    assert "INVALID_SESSION_ID" in text.err
    assert problems(document) == {"Contact": "INVALID_SESSION_ID"}
    assert "pasted.and.expired" not in text.out + text.err + document.out + document.err


@pytest.mark.parametrize("command", ["sync", "sync --no-push", "verify"])
def test_a_loss_that_is_accepted_of_an_object_that_is_not_asked_for_is_refused(user, simorg, command):
    user("sync", "Contact")
    asked = simorg.usage.used

    text = user(*command.split(), "Contact", "--accept-loss", "Contakt")
    document = user(*command.split(), "Contact", "--accept-loss", "Lead", "--json")

    assert (text.code, document.code, document.json["error"]) == (2, 2, "BAD_REQUEST")
    assert "'Contakt'" in text.err
    assert "Did you mean Contact?" in text.err
    assert simorg.usage.used == asked


def test_insufficient_access(user, simorg):
    refusal = [{"message": "insufficient access rights on object", "errorCode": "INSUFFICIENT_ACCESS"}]
    simorg.faults.add(path="/sobjects/Lead/describe", status=403, body=refusal, times=None)

    done = user("sync", "Lead", "--json")

    assert (done.code, problems(done)) == (6, {"Lead": "INSUFFICIENT_ACCESS"})


def test_object_not_found_names_the_object_that_was_meant(user):
    text, document = user("sync", "Contakt"), user("sync", "Contakt", "--json")

    assert (text.code, problems(document)) == (6, {"Contakt": "OBJECT_NOT_FOUND"})
    assert "OBJECT_NOT_FOUND" in text.err
    assert "Contact" in text.err.replace("Contakt", "")


def test_an_object_that_the_user_may_not_read_is_as_if_it_were_not_there(user, simorg):
    simorg.permissions.deny("Lead", "read")

    assert problems(user("sync", "Lead", "--json")) == {"Lead": "OBJECT_NOT_FOUND"}


def test_malformed_query(user):
    user("init")

    text, document = user("query", "SELEC 1"), user("query", "SELEC 1", "--json")

    assert (text.code, document.code, document.json["error"]) == (6, 6, "MALFORMED_QUERY")
    assert text.err.startswith("MALFORMED_QUERY: ") and "SELEC" in text.err


def test_request_limit_exceeded(user, simorg):
    user("init")
    simorg.usage.reset(used=simorg.usage.limit)

    text, document = user("sync"), user("sync", "--json")

    assert (text.code, document.code) == (5, 5)
    assert "REQUEST_LIMIT_EXCEEDED" in text.err
    assert "❌ FND → OS : sync_failed" in text.out
    assert "REQUEST_LIMIT_EXCEEDED" in problems(document).values()


def test_near_the_limit_a_signal_comes_before_the_wall(user, simorg):
    user("init")
    simorg.usage.reset(used=simorg.usage.limit * 9 // 10)  # pulls stop at 95 %

    done = user("sync")

    assert done.code == 0
    assert "⚠️ FND → OS : api_limit_warning" in done.out


def test_one_bad_object_does_not_stop_the_others(user, simorg):
    user.settle(simorg.url, objects="Contact, Contakt, Lead")

    text, document = user("sync"), user("sync", "--json")

    assert (text.code, document.code, document.json["state"]) == (3, 3, "partial")
    assert problems(document) == {"Contact": None, "Contakt": "OBJECT_NOT_FOUND", "Lead": None}
    assert "❌ FND → OS : sync_failed" in text.out
    assert "sync_complete" not in text.out
    status = {each["object"]: each for each in user("status", "--json").json["objects"]}
    assert status["Contact"]["last_run"]["state"] == "complete"
    assert status["Contact"]["rows"] == simorg.count("Contact")


def test_an_org_that_is_not_there(cli):
    cli.settle("http://127.0.0.1:9")

    done = cli("init")

    assert done.code == 1
    assert "127.0.0.1" in done.err
    assert "Traceback" not in done.err


def test_a_refused_login_says_what_the_org_said(cli, simorg):
    cli.settle(simorg.url)
    (cli.folder / ".env").write_text("SF_CLIENT_ID=3MVG9simorg.demo.client\nSF_CLIENT_SECRET=wr0ng\n")

    text, document = cli("init"), cli("init", "--json")

    assert (text.code, document.code) == (4, 4)
    assert "invalid client credentials" in text.err
    assert set(document.json) == {"error", "message", "hint"}
    assert "wr0ng" not in text.out + text.err + document.out


def test_without_credentials_the_next_step_is_named(cli):
    done = cli("sync")

    assert done.code == 4
    assert done.err.startswith("NOT_CONNECTED: ")
    assert ".env" in done.err and "salesforce-sync connect" in done.err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("sync: {batchsize: 5}", "there is no setting sync.batchsize. Did you mean sync.batch_size?"),
        ("storage: {type: oracle}", "storage.type must be sqlite"),
        ("salesforce: {instance_url: http://acme.example}", "salesforce.instance_url must be an https address"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(cli, settings, message):
    (cli.folder / "config.yaml").write_text(settings)

    text, document = cli("status"), cli("status", "--json")

    assert (text.code, document.code, document.json["error"]) == (2, 2, "CONFIG_ERROR")
    assert "config.yaml: " in text.err
    assert " ".join(message.split()) in " ".join(text.err.split())


def test_half_of_the_credentials_names_the_other_half(cli, simorg):
    cli.settle(simorg.url)
    (cli.folder / ".env").write_text("SF_CLIENT_ID=3MVG9\n")

    done = cli("init")

    assert done.code == 2
    assert "SF_CLIENT_SECRET" in done.err


@pytest.mark.parametrize("arguments", [["frobnicate"], ["sync", "--fast"], ["query"], ["demo", "--records", "0"]])
def test_a_wrong_command_line(cli, arguments):
    text, document = cli(*arguments), cli(*arguments, "--json")

    assert (text.code, document.code, document.json["error"]) == (2, 2, "USAGE")
    assert text.err and not text.out


def test_the_traceback_is_told_only_to_those_who_ask(cli):
    quiet, verbose = cli("sync"), cli("sync", "-v")

    assert "Traceback" not in quiet.err
    assert "Traceback" in verbose.err
    assert (quiet.code, verbose.code) == (4, 4)


def test_no_secret_is_in_any_output_or_file(cli, simorg):
    cli.settle(simorg.url)
    outputs = [cli(*each, "-v") for each in (["init"], ["sync"], ["status"], ["objects"], ["sync", "--json"])]
    (cli.folder / ".env").unlink()
    outputs.append(cli("sync", "-v"))

    assert [each.code for each in outputs] == [0] * 6
    told = "".join(each.out + each.err for each in outputs).encode()
    kept = b"".join(each.read_bytes() for each in (cli.folder / "data").rglob("*") if each.is_file())
    tokens = [session.token for session in simorg.sessions._by_token.values()]  # no public list of them
    assert tokens
    for secret in (CLIENT_SECRET, *tokens):
        assert secret.encode() not in told
        assert secret.encode() not in kept


def test_a_terminal_without_these_letters_shows_others_instead(user):
    done = user("sync", "Contact", PYTHONIOENCODING="ascii:strict", LANG="C", PYTHONUTF8="0")
    document = user("query", "SELECT 'é→😀' AS text", "--json", PYTHONIOENCODING="ascii:strict")

    assert done.code == 0
    assert "FND ? OS : sync_complete" in done.out
    assert json.loads(document.out)["rows"] == [{"text": "é→😀"}]


def test_a_value_cannot_steer_the_terminal(cli):
    cli("init")

    done = cli("query", "SELECT 'a' || char(27) || '[2Jb' || char(10) || 'c' AS text")

    assert "\x1b" not in done.out
    assert "a\\x1b[2Jb\\nc" in done.out


def test_a_reader_who_leaves_early_is_no_error(cli):
    cli("init")
    numbers = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT i FROM n"
    running = cli.start("query", numbers, "--limit", "50000")
    assert running.stdout is not None and running.stderr is not None
    first = running.stdout.readline()
    running.stdout.close()
    errors = running.stderr.read()
    running.stderr.close()
    running.wait(30)

    assert first == "i\n" or first.strip() == "i"
    assert errors == ""


def through_a_shell(cli, redirections, *arguments, **environment):
    command = ["sh", "-c", f'exec "$@" {redirections}', "sh", *cli.command(*arguments)]
    env = cli.environment | environment
    return subprocess.run(command, cwd=cli.folder, env=env, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("environment", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    "command", [("status",), ("status", "--json"), ("--help",), ("sync", "--help"), ("--version",)]
)
def test_output_that_finds_no_room_is_told_and_is_no_mistake_of_ours(user, command, environment):
    full = through_a_shell(user, ">/dev/full", *command, **environment)

    assert full.returncode == 1
    assert full.stderr.startswith("OUTPUT_LOST: Standard output cannot be written: No space left on device.")
    assert "report it" not in full.stderr
    assert "Traceback" not in full.stderr


@pytest.mark.parametrize(("arguments", "code"), [(("query", "SELECT nothing"), 6), (("nonsense",), 2)])
def test_what_went_wrong_keeps_its_exit_code_where_it_cannot_be_told(user, arguments, code):
    as_document = through_a_shell(user, ">/dev/full", *arguments, "--json")
    as_text = through_a_shell(user, "2>/dev/full", *arguments)

    assert [as_document.returncode, as_text.returncode] == [code, code]
    assert as_document.stderr.startswith("OUTPUT_LOST: Standard output cannot be written")
    assert "Traceback" not in as_document.stderr


def test_what_went_wrong_keeps_its_exit_code_where_nobody_reads_it(user):
    command = ["sh", "-c", '( "$@"; echo $? >&2 ) | true', "sh", *user.command("nonsense", "--json")]

    unread = subprocess.run(command, cwd=user.folder, env=user.environment, capture_output=True, text=True, timeout=60)

    assert unread.stderr == "2\n"


def test_a_command_whose_starter_has_closed_its_streams_does_its_work(user):
    closed = through_a_shell(user, "<&- >&- 2>&-", "sync", "Contact")

    assert closed.returncode == 0
    assert user("query", "SELECT count(*) AS n FROM Contact", "--json").json["rows"][0]["n"] > 0
