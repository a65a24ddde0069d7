"""Logging in: each way, with secrets that never stand on the command line."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from simorg.clients import CLIENT_ID, CLIENT_SECRET


def test_client_credentials_with_the_secret_on_standard_input(cli, simorg):
    done = cli(
        *("connect", "--method", "client-credentials", "--instance-url", simorg.url),
        *("--client-id", CLIENT_ID, "--secret-stdin"),
        stdin=f"{CLIENT_SECRET}\n",
    )

    assert (done.code, done.err) == (0, "")
    assert simorg.url in done.out
    assert cli("sync", "Lead").code == 0


def test_a_pasted_session(cli, simorg):
    token = simorg.sessions.open(simorg.user_id).token

    done = cli(
        "connect", "--method", "session", "--instance-url", simorg.url, "--secret-stdin", "--json", stdin=f"{token}\n"
    )

    assert done.json == {"connected_to": simorg.url, "method": "session"}
    assert token not in done.out + done.err
    assert cli("sync", "Lead").code == 0


def test_a_refresh_token_from_the_environment(cli, simorg):
    token = simorg.sessions.grant(simorg.user_id, CLIENT_ID, "api refresh_token").token

    done = cli(
        *("connect", "--instance-url", simorg.url, "--client-id", CLIENT_ID, "--json"),
        SF_REFRESH_TOKEN=token,
        SF_CLIENT_SECRET=CLIENT_SECRET,
    )

    assert done.json == {"connected_to": simorg.url, "method": "refresh_token"}
    assert cli("sync", "Lead").code == 0


def test_a_refresh_token_that_the_org_replaces_each_time(cli, simorg):
    simorg.clients.first.rotate_refresh_tokens = True
    token = simorg.sessions.grant(simorg.user_id, CLIENT_ID, "api refresh_token").token
    environment = {"SF_REFRESH_TOKEN": token, "SF_CLIENT_SECRET": CLIENT_SECRET, "SF_CLIENT_ID": CLIENT_ID}
    environment["SF_INSTANCE_URL"] = simorg.url
    assert cli("connect", **environment).code == 0

    codes = []
    for _ in range(3):
        simorg.clock.advance(3 * 3600)  # the session has ended by then, and its refresh token is spent
        codes.append(cli("sync", "Lead", **environment).code)

    assert codes == [0, 0, 0]


def test_a_login_that_the_settings_outrank_says_so(cli, simorg):
    """A token in .env has ended; `connect` gets a new one, and the next command would take the old one all the same."""
    new = simorg.sessions.grant(simorg.user_id, CLIENT_ID, "api refresh_token").token
    keys = f"SF_CLIENT_ID={CLIENT_ID}\nSF_CLIENT_SECRET={CLIENT_SECRET}\nSF_REFRESH_TOKEN=5Aep861ended\n"
    (cli.folder / ".env").write_text(f"SF_INSTANCE_URL={simorg.url}\n{keys}")

    outranked = cli("connect", "--method", "refresh-token", "--secret-stdin", stdin=f"{new}\n")
    refused = cli("sync", "Lead")
    (cli.folder / ".env").write_text(f"SF_INSTANCE_URL={simorg.url}\nSF_CLIENT_ID={CLIENT_ID}\n")
    alone = cli("connect", "--method", "refresh-token", SF_CLIENT_SECRET=CLIENT_SECRET, SF_REFRESH_TOKEN=new)

    assert outranked.code == 0
    assert "SF_REFRESH_TOKEN" in outranked.err
    assert new not in outranked.err
    assert refused.code == 4
    assert (alone.code, alone.err) == (0, "")


def test_jwt(cli, simorg):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (cli.folder / "key.pem").write_bytes(pem)
    simorg.clients.first.public_key = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    username = simorg.row(simorg.user_id)["Username"]

    done = cli(
        *("connect", "--method", "jwt", "--instance-url", simorg.url, "--client-id", CLIENT_ID),
        *("--username", username, "--jwt-key-file", "key.pem"),
    )

    assert (done.code, done.err) == (0, "")
    assert cli("sync", "Lead").code == 0


def test_what_is_missing_is_asked_for_and_the_secret_is_not_shown(cli, simorg):
    shown, code = cli.typed(
        ["connect"],
        [
            ("How to log in", "client-credentials"),
            ("Address of the org", "acme.example"),
            ("not an https address", simorg.url),
            ("Client id", CLIENT_ID),
            ("Client secret", CLIENT_SECRET),
        ],
    )

    assert code == 0
    assert f"Connected to {simorg.url}" in shown
    assert CLIENT_SECRET not in shown
    assert cli("sync", "Lead").code == 0


def test_nobody_to_ask(cli, simorg):
    nothing = cli("connect", "--instance-url", simorg.url)
    half = cli("connect", "--method", "client-credentials", "--instance-url", simorg.url, "--client-id", "x")
    empty = cli("connect", "--method", "session", "--instance-url", simorg.url, "--secret-stdin")

    assert (nothing.code, half.code, empty.code) == (4, 2, 2)
    assert "SF_CLIENT_SECRET" in half.err
    assert "standard input is empty" in empty.err


@pytest.mark.parametrize("option", ["--client-secret", "--access-token", "--refresh-token", "--password"])
def test_no_secret_is_taken_from_the_command_line(cli, option):
    done = cli("connect", option, "s3cr3t")

    assert done.code == 2
    assert "s3cr3t" not in done.out + done.err


def test_a_login_that_fails_leaves_the_connection_that_works(user, simorg):
    user("init")
    (user.folder / ".env").unlink()

    refused = user(
        *("connect", "--method", "client-credentials", "--client-id", CLIENT_ID, "--secret-stdin"), stdin="wr0ng\n"
    )

    assert refused.code == 4
    assert user("sync", "Lead").code == 0


def test_a_lost_key_says_to_connect_again_and_that_mends_it(user):
    user("init")
    dotenv = user.folder / ".env"
    credentials = dotenv.read_text()
    dotenv.unlink()
    (user.folder / "data/salesforce.db.key").unlink()

    lost = user("sync", "Lead")
    dotenv.write_text(credentials)
    again = user("connect")
    dotenv.unlink()

    assert (lost.code, again.code) == (4, 0)
    assert "connect" in lost.err
    assert user("sync", "Lead").code == 0


def test_a_key_from_dotenv_leaves_no_key_file(user):
    from cryptography.fernet import Fernet

    dotenv = user.folder / ".env"
    dotenv.write_text(f"{dotenv.read_text()}SF_SYNC_KEY={Fernet.generate_key().decode()}\n")

    assert user("init").code == 0
    assert (user.folder / "data/salesforce.db.connection").is_file()
    assert not (user.folder / "data/salesforce.db.key").exists()
