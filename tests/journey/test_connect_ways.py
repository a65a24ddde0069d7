"""More ways to log in: a browser, a key made here, the login of `sf`; and several orgs beside one another."""

import json
import os
import re
import socket
import stat
import subprocess
from urllib.parse import parse_qs, urlsplit, urlunsplit

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.org import SimOrg
from tests.plain import PLAIN


def begun(cli, simorg, *more, stdin=subprocess.DEVNULL, **environment):
    """A browser login that waits, and the address that it asks a person to open."""
    process = subprocess.Popen(
        cli.command(
            *("connect", "--method", "browser", "--instance-url", simorg.url, "--client-id", CLIENT_ID),
            *("--no-browser", "--redirect-port", "0", *more),
        ),
        cwd=cli.folder,
        env=cli.environment | environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if "/services/oauth2/authorize" in line:
            return process, line.strip()
    raise AssertionError(process.communicate())


def ended(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def approved(address):
    """What the org sends the browser back to."""
    return httpx2.get(address, verify=PLAIN).headers["location"]


def test_a_browser_login(cli, simorg):
    process, address = begun(cli, simorg, "--json")

    page = httpx2.get(address, follow_redirects=True, verify=PLAIN)
    code, out, err = ended(process)

    assert (page.status_code, code) == (200, 0)
    assert "close this window" in page.text
    assert json.loads(out) == {"connected_to": simorg.url, "method": "browser"}
    secret = parse_qs(urlsplit(str(page.url)).query)["code"][0]
    assert secret not in out + err
    assert cli("connections", "--json").json["connections"][0]["instance_url"] == simorg.url
    asked = parse_qs(urlsplit(address).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert set(asked["scope"][0].split()) == {"api", "refresh_token", "id"}
    assert cli("sync", "Lead").code == 0


def test_a_browser_login_outlives_its_session_with_only_the_client_id_in_dotenv(cli, simorg):
    (cli.folder / ".env").write_text(f"SF_CLIENT_ID={CLIENT_ID}\n")
    process, address = begun(cli, simorg)
    httpx2.get(address, follow_redirects=True, verify=PLAIN)
    assert ended(process)[0] == 0

    simorg.sessions.end_all()

    assert [cli("sync", "Lead").code, cli("init").code] == [0, 0]


def test_a_browser_login_is_used_although_its_secret_stands_in_dotenv(cli, simorg):
    """The id and the secret would do for client credentials; the app may have no user for those, or another one."""
    keys = f"SF_INSTANCE_URL={simorg.url}\nSF_CLIENT_ID={CLIENT_ID}\nSF_CLIENT_SECRET={CLIENT_SECRET}\n"
    (cli.folder / ".env").write_text(keys)
    process, address = begun(cli, simorg)
    httpx2.get(address, follow_redirects=True, verify=PLAIN)
    code, _, err = ended(process)
    run_as, simorg.clients.first.run_as = simorg.clients.first.run_as, None
    simorg.sessions.end_all()

    assert (code, "another login" in err) == (0, False)
    assert cli("sync", "Lead").code == 0
    assert cli("init").code == 4  # who asks for a login with what stands in .env gets that one
    simorg.clients.first.run_as = run_as
    assert cli("init").code == 0


@pytest.mark.parametrize("stale", ["SF_CLIENT_SECRET=no-longer-good", "SF_REFRESH_TOKEN=ended", "SF_ACCESS_TOKEN=old"])
def test_a_login_in_dotenv_that_is_good_no_more_does_not_take_the_place_of_the_kept_one(user, simorg, stale):
    token = simorg.sessions.grant(simorg.user_id, CLIENT_ID, "api refresh_token").token
    ways = "connect", "--method", "refresh-token", "--client-id", CLIENT_ID, "--secret-stdin"
    (user.folder / ".env").write_text(f"SF_CLIENT_ID={CLIENT_ID}\n{stale}\n")
    assert user(*ways, stdin=f"{token}\n", SF_CLIENT_SECRET=CLIENT_SECRET).code == 0
    assert user("sync", "Contact").code == 4  # what connect has said: the one in .env is used

    (user.folder / ".env").unlink()

    assert user("sync", "Contact").code == 0


def test_a_login_in_dotenv_that_is_good_takes_the_place_of_the_kept_one(user, simorg):
    token = simorg.sessions.grant(simorg.user_id, CLIENT_ID, "api refresh_token").token
    ways = "connect", "--method", "refresh-token", "--client-id", CLIENT_ID, "--secret-stdin"
    assert user(*ways, stdin=f"{token}\n", SF_CLIENT_SECRET=CLIENT_SECRET).code == 0
    given = simorg.sessions.grant(simorg.user_id, CLIENT_ID, "api refresh_token").token
    lines = f"SF_CLIENT_ID={CLIENT_ID}", f"SF_CLIENT_SECRET={CLIENT_SECRET}", f"SF_REFRESH_TOKEN={given}"
    (user.folder / ".env").write_text("\n".join(lines))
    assert user("sync", "Contact").code == 0
    simorg.sessions.kill_family(simorg.sessions.refresh_token(token).family)

    (user.folder / ".env").unlink()

    assert user("sync", "Contact").code == 0


def test_a_browser_on_another_machine_and_the_address_pasted(cli, simorg):
    process, address = begun(cli, simorg, stdin=subprocess.PIPE)

    process.stdin.write("https://example.com/?code=x&state=y\n")  # pasted by mistake
    process.stdin.write(approved(address) + "\n")
    process.stdin.flush()
    code, out, err = ended(process)

    assert code == 0
    assert "Paste the whole address" in err
    assert simorg.url in out


def test_an_address_can_be_pasted_also_where_the_port_is_taken(cli, simorg):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process, address = begun(cli, simorg, "--redirect-port", port, stdin=subprocess.PIPE)
        process.stdin.write(approved(address) + "\n")
        process.stdin.flush()

        assert parse_qs(urlsplit(address).query)["redirect_uri"] == [f"http://localhost:{port}/OauthRedirect"]
        assert ended(process)[0] == 0


def test_a_person_at_a_terminal_is_asked_for_all_that_a_browser_login_needs(cli, simorg):
    def approve(shown):
        return approved(next(word for word in shown.split() if "/services/oauth2/authorize" in word))

    shown, code = cli.typed(
        ["connect", "--no-browser", "--redirect-port", "0"],
        [("How to log in", ""), ("Address of the org", simorg.url), ("Client id", CLIENT_ID), ("paste here", approve)],
    )

    assert code == 0
    assert f"Connected to {simorg.url}" in shown
    assert cli("sync", "Lead").code == 0


def test_a_bare_code_pasted(cli, simorg):
    process, address = begun(cli, simorg, stdin=subprocess.PIPE)

    process.stdin.write(parse_qs(urlsplit(approved(address)).query)["code"][0] + "\n")
    process.stdin.flush()

    assert ended(process)[0] == 0


def test_another_pages_redirect_neither_logs_in_nor_ends_the_login(cli, simorg):
    process, address = begun(cli, simorg)
    back = approved(address)
    parts = urlsplit(back)
    foreign = urlunsplit(parts._replace(query="code=stolen&state=guessed"))
    elsewhere = urlunsplit(parts._replace(path="/favicon.ico"))

    answers = [
        httpx2.get(foreign, verify=PLAIN).status_code,
        httpx2.get(elsewhere, verify=PLAIN).status_code,
        httpx2.get(back, headers={"Host": "evil.example"}, verify=PLAIN).status_code,
        httpx2.get(urlunsplit(parts._replace(query="")), verify=PLAIN).status_code,
    ]
    still_waiting = process.poll() is None
    good = httpx2.get(back, verify=PLAIN).status_code

    assert answers == [400, 404, 404, 400]
    assert still_waiting
    assert (good, ended(process)[0]) == (200, 0)


def test_a_person_who_denies(cli, simorg):
    process, address = begun(cli, simorg)
    parts = urlsplit(approved(address))
    state = parse_qs(parts.query)["state"][0]

    refused = "error=access_denied&error_description=end-user+denied+authorization&state=" + state
    httpx2.get(urlunsplit(parts._replace(query=refused)), verify=PLAIN)
    code, _, err = ended(process)

    assert code == 4
    assert "denied" in err


def test_a_port_that_is_taken_says_so(cli, simorg):
    first, address = begun(cli, simorg)
    port = urlsplit(parse_qs(urlsplit(address).query)["redirect_uri"][0]).port

    second = cli(
        *("connect", "--method", "browser", "--instance-url", simorg.url, "--client-id", "x", "--no-browser"),
        *("--redirect-port", str(port)),
    )
    first.terminate()
    first.communicate()

    assert second.code == 2
    assert "--redirect-port" in second.err


def test_a_key_made_here_logs_in_once_its_certificate_is_at_the_org(cli, simorg):
    made = cli("connect", "--make-key", "--json")
    again = cli("connect", "--make-key")
    key, certificate = made.json["key_file"], made.json["certificate_file"]
    with open(certificate, "rb") as stream:
        public = x509.load_pem_x509_certificate(stream.read()).public_key()
    simorg.clients.first.public_key = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()

    done = cli(
        *("connect", "--method", "jwt", "--instance-url", simorg.url, "--client-id", CLIENT_ID),
        *("--username", simorg.row(simorg.user_id)["Username"]),
    )

    named = cli("connect", "--name", "sales", "--make-key", "--instance-url", simorg.url)

    assert (made.code, again.code, done.code, named.code) == (0, 0, 0, 0)
    assert "External Client App" in again.out and certificate in again.out
    assert f"connect --name sales --method jwt --instance-url {simorg.url} " in named.out
    assert {stat.S_IMODE(os.stat(each).st_mode) for each in (key, certificate)} == {0o600}
    assert cli("sync", "Lead").code == 0


# ── sf ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def sf(cli, code=0, **answers):
    """A program `sf` that answers so to `display`, `show-access-token` …, and notes what it was asked."""
    folder = cli.folder / "bin"
    folder.mkdir(exist_ok=True)
    for command, answer in answers.items():
        file = folder / f"{command.replace('_', '-')}.json"
        file.write_text(answer if isinstance(answer, str) else json.dumps(answer))
    program = folder / "sf"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {folder}/asked\n'
        f'case "$2" in auth) of="$3";; *) of="$2";; esac\n'
        f'cat {folder}/$of.json || echo \'{{"name": "Unknown", "message": "no such command"}}\'\nexit {code}\n'
    )
    program.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{cli.environment['PATH']}"}


def its_login(simorg):
    """What sf knows of the org: its refresh token in a URL, and its session."""
    refresh = simorg.sessions.grant(simorg.user_id, CLIENT_ID, "api refresh_token").token
    token = simorg.sessions.open(simorg.user_id, CLIENT_ID, "api").token
    return f"force://{CLIENT_ID}::{refresh}@{simorg.url.removeprefix('http://')}", token


@pytest.mark.parametrize("redacted", [False, True], ids=["before May 2026", "since then"])
def test_the_login_of_sf_is_taken_over_with_its_refresh_token(cli, simorg, redacted):
    url, token = its_login(simorg)
    hidden = "[REDACTED] Use 'sf org auth show-access-token' to view"
    shown = {"instanceUrl": simorg.url}
    shown |= {"accessToken": hidden, "sfdxAuthUrl": hidden} if redacted else {"accessToken": token, "sfdxAuthUrl": url}
    answers = {
        "display": {"status": 0, "result": shown},
        "show_sfdx_auth_url": {"status": 0, "result": {"sfdxAuthUrl": url}},
        "show_access_token": {"status": 0, "result": {"accessToken": token}},
    }

    done = cli("connect", "--method", "sf", "--target-org", "my-org", "--json", **sf(cli, **answers))
    simorg.sessions.end_all()

    assert done.json == {"connected_to": simorg.url, "method": "sf"}
    asked = (cli.folder / "bin/asked").read_text().splitlines()
    assert asked[0] == "org display --verbose --json --target-org my-org"
    assert len(asked) == (3 if redacted else 1)
    assert not [secret for secret in (url, token) if secret in done.out + done.err]
    assert cli("sync", "Lead").code == 0


def test_the_session_of_sf_is_taken_where_it_shows_no_refresh_token(cli, simorg):
    token = simorg.sessions.open(simorg.user_id).token

    done = cli(
        "connect", "--method", "sf", **sf(cli, display={"result": {"accessToken": token, "instanceUrl": simorg.url}})
    )

    assert done.code == 0
    assert cli("sync", "Lead").code == 0


def test_without_sf_it_says_what_to_do(cli):
    done = cli("connect", "--method", "sf", PATH="/nonexistent")

    assert done.code == 4
    assert "not installed" in done.err and "--method browser" in done.err


@pytest.mark.parametrize(
    "answer",
    [
        {"name": "NoDefaultEnvError", "message": "No default environment found."},
        "Warning: no JSON s3cr3t",
        {"result": {"instanceUrl": "https://acme.my.salesforce.com"}},
        {"result": {"accessToken": "s3cr3t", "instanceUrl": "http://evil.example"}},
    ],
)
def test_an_sf_that_is_not_logged_in_says_so_and_shows_no_secret(cli, answer):
    done = cli("connect", "--method", "sf", **sf(cli, code=1, display=answer))

    assert done.code in (2, 4)
    assert "s3cr3t" not in done.out + done.err


def test_no_target_is_an_option_of_sf(cli):
    done = cli("connect", "--method", "sf", "--target-org=--help", **sf(cli, display={}))

    assert done.code == 2
    assert not (cli.folder / "bin/asked").exists()


# ── several orgs ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_orgs_beside_one_another(user, simorg):
    assert user("sync", "Lead").code == 0
    with SimOrg(records=5, seed=9) as other, other.serve():
        connect = ("connect", "--name", "sales", "--method", "client-credentials", "--instance-url", other.url)
        connected = user(*connect, "--client-id", CLIENT_ID, "--secret-stdin", "--json", stdin=f"{CLIENT_SECRET}\n")
        synced = user("sync", "Lead", "--connection", "sales")
        here = user("query", "SELECT count(*) AS n FROM Lead", "--json")
        there = user("--connection", "sales", "query", "SELECT count(*) AS n FROM Lead", "--json")
        listed = user("connections", "--json").json["connections"]

    assert connected.json == {"connected_to": other.url, "method": "client_credentials", "connection": "sales"}
    assert synced.code == 0
    assert here.json["rows"] != there.json["rows"]
    assert [(each["connection"], each["instance_url"]) for each in listed] == [
        ("default", simorg.url),
        ("sales", other.url),
    ]
    folder = os.path.dirname(listed[1]["database"])
    assert {stat.S_IMODE(os.stat(os.path.join(folder, each)).st_mode) for each in os.listdir(folder)} <= {0o600, 0o700}
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


def test_a_login_that_fails_leaves_no_new_connection(user, simorg):
    failed = user(
        *("connect", "--name", "sales", "--method", "client-credentials", "--instance-url", simorg.url),
        *("--client-id", CLIENT_ID, "--secret-stdin"),
        stdin="wr0ng\n",
    )

    assert failed.code == 4
    assert [each["connection"] for each in user("connections", "--json").json["connections"]] == ["default"]


@pytest.mark.parametrize("name", ["../x", "a/b", "Sales", "x" * 41])
def test_a_name_that_is_none_is_refused_and_makes_nothing(user, simorg, name):
    unknown = user("status", "--connection", name)
    refused = user(
        *("connect", f"--name={name}", "--method", "client-credentials", "--instance-url", simorg.url),
        *("--client-id", CLIENT_ID, "--secret-stdin"),
        stdin=f"{CLIENT_SECRET}\n",
    )

    assert (unknown.code, refused.code) == (6, 2)
    assert not list(user.folder.rglob("con_*")) and not (user.folder.parent / "x").exists()


def test_what_the_command_line_did_is_in_the_audit_log(user):
    user("init")
    user("sync", "Lead")
    lead = user("query", "SELECT Id FROM Lead LIMIT 1", "--json").json["rows"][0]["Id"]
    user("edit", "Lead", lead, "Phone=555-s3cr3t")
    user("push")
    user("sync", "Nonsense__c")
    user("verify", "Lead", "--accept-loss", "Lead")

    shown, told = user("audit", "show", "--json"), user("audit", "show").out
    verified = user("audit", "verify", "--json")

    done = [(each["action"], each["subject"], each["outcome"]) for each in shown.json["entries"] if each["begun"]]
    assert done == [
        ("verify", "Lead", "complete"),
        ("sync", "Nonsense__c", "failed"),
        ("push", "", "complete"),
        ("edit", f"Lead {lead}", "done"),
        ("sync", "Lead", "complete"),
        ("init", "", "done"),
    ]
    assert all(each["who"].startswith("os:") and each["origin"] == "cli" for each in shown.json["entries"])
    assert "s3cr3t" not in shown.out + told
    assert "accepts the loss of rows of Lead" in told
    assert shown.json["entries"][1]["detail"] == "accepts the loss of rows of Lead"
    assert (verified.json["sound"], verified.json["broken"]) == (12, None)
    assert user("audit", "verify", "--noted", verified.json["head"]).code == 0
    assert user("audit", "verify", "--noted", "1:" + "0" * 64).code == 1
    assert user("audit", "verify", "--noted", "x").code == 2


def test_users_come_and_go(user):
    added = user("user", "add", "ada", "--role", "editor", "--json")
    shown = user("user", "add", "bob")
    listed = user("user", "list", "--json")
    gone = user("user", "revoke", "ada")

    assert re.fullmatch(r"sfsync_[\w-]{43}", added.json["token"])
    assert shown.out.splitlines()[-1].startswith("sfsync_")
    assert [(each["user"], each["role"]) for each in listed.json["users"]] == [("ada", "editor"), ("bob", "viewer")]
    assert added.json["token"] not in listed.out
    assert gone.code == 0
    assert user("user", "revoke", "ada").code == 6
    assert user("user", "add", "../x").code == 2
    assert added.json["token"] not in user("audit", "show", "--json").out


def test_an_owners_new_connection_is_not_one_of_that_name_that_is_shared_with_him_or_that_he_sees(cli, simorg):
    given = ("--method", "client-credentials", "--instance-url", simorg.url, "--client-id", CLIENT_ID, "--secret-stdin")

    def connect(owner):
        return cli("connect", "--name", "sales", "--owner", owner, *given, stdin=f"{CLIENT_SECRET}\n").code

    for name, role in (("ada", "editor"), ("bob", "editor"), ("root", "admin")):
        assert cli("user", "add", name, "--role", role).code == 0
    assert connect("ada") == 0
    assert cli("connections", "share", "sales", "bob").code == 0

    assert [connect(name) for name in ("bob", "root", "ada")] == [0, 0, 0]

    _, *known = cli("connections", "--json").json["connections"]
    assert sorted(each["owner"] for each in known) == ["ada", "bob", "root"]
