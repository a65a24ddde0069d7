from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec.structs import replace

from salesforce_sync.api.auth import Sessions
from salesforce_sync.api.tokens import hint_for, instance_of
from salesforce_sync.api.wire import Wire
from salesforce_sync.errors import (
    ConfigError,
    LoginRefused,
    NotConnected,
    SessionInvalid,
    StoreTrouble,
    Transient,
    Unreachable,
    WrongOrg,
)
from salesforce_sync.models.connection import Connection, LoginMethod, Session, fingerprint
from salesforce_sync.storage.vault import Vault
from tests.unit.api.clocks import QuickClock
from tests.unit.api.scripted import Asked, Reply, ScriptedServer, json_reply

Serve = Callable[[Callable[[Asked], Reply]], ScriptedServer]


def oauth_error(error: str, description: str, status: int = 400) -> Reply:
    return json_reply({"error": error, "error_description": description}, status)


def form(asked: Asked) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(asked.body.decode()).items()}


class TokenEndpoint:
    """Gives `token-1`, `token-2` …; rotates refresh tokens if it is told to."""

    def __init__(self, *, rotates: bool = False) -> None:
        self.rotates = rotates
        self.good_refresh = "refresh-0"
        self._numbers = itertools.count(1)

    def __call__(self, asked: Asked) -> Reply:
        number = next(self._numbers)
        told = form(asked)
        if told["grant_type"] == "refresh_token" and told["refresh_token"] != self.good_refresh:
            return oauth_error("invalid_grant", "expired access/refresh token")
        reply = {"access_token": f"token-{number}", "instance_url": f"http://{asked.headers['host']}", "id": "x"}
        if self.rotates:
            self.good_refresh = reply["refresh_token"] = f"refresh-{number}"
        return json_reply(reply)


Login = Callable[[Connection], Sessions]


@pytest.fixture
def login(keys: Vault, clock: QuickClock, wire: Wire) -> Login:
    """The sessions of a connection, as one process has them."""
    return lambda connection: Sessions(connection, wire, keys, clock)


def app(server: ScriptedServer) -> Connection:
    return Connection(LoginMethod.CLIENT_CREDENTIALS, server.url, client_id="app", client_secret="very-secret")


def refreshing(server: ScriptedServer, token: str = "refresh-0") -> Connection:
    return Connection(LoginMethod.REFRESH_TOKEN, server.url, client_id="app", refresh_token=token)


def test_client_credentials_are_sent_in_the_body(serve: Serve, login: Login) -> None:
    server = serve(TokenEndpoint())

    session = login(app(server)).current()

    assert session == Session(server.url, "token-1")
    assert server.paths() == ["/services/oauth2/token"]
    assert form(server.asked[0]) == {
        "grant_type": "client_credentials", "client_id": "app", "client_secret": "very-secret"
    }  # fmt: skip


def test_calls_go_where_the_token_reply_says(serve: Serve, login: Login) -> None:
    instance = serve(TokenEndpoint())
    gate = serve(lambda asked: json_reply({"access_token": "t", "instance_url": instance.url + "/"}))
    connection = replace(app(instance), login_url=gate.url)

    assert login(connection).current() == Session(instance.url, "t")
    assert len(gate.asked) == 1


def test_a_token_for_an_unencrypted_host_is_not_used(serve: Serve, login: Login) -> None:
    server = serve(lambda asked: json_reply({"access_token": "t", "instance_url": "http://evil.example.org"}))

    with pytest.raises(LoginRefused, match="no https address"):
        login(app(server)).current()


@pytest.mark.parametrize(
    "named",
    [
        *("http://127.0.0.1:9200", "http://[::1]", "http://evil.example.org", "javascript:x"),
        *(
            "https://127.0.0.1:9200",
            "https://localhost",
            "https://10.0.0.1",
            "https://printer.local",
            "https://intranet",
        ),
    ],
)
def test_a_login_host_on_the_internet_cannot_send_us_to_this_machine(named: str) -> None:
    with pytest.raises(LoginRefused, match="no https address"):
        instance_of(named, "https://login.example.org/services/oauth2/token")


def test_two_runs_do_not_log_in_twice(serve: Serve, keys: Vault, login: Login) -> None:
    server = serve(TokenEndpoint())
    keys.save(app(server))

    first = login(app(server)).current()
    second = login(app(server)).current()

    assert first == second
    assert len(server.asked) == 1


def test_the_session_of_another_login_is_not_used(serve: Serve, keys: Vault, login: Login) -> None:
    server = serve(TokenEndpoint())
    keys.save(app(server))
    keys.save_session(Session(server.url, "of-another-app"))

    session = login(replace(app(server), client_id="other")).current()

    assert session.access_token == "token-1"
    assert keys.load_session() == Session(server.url, "of-another-app")


def test_a_login_is_fresh_whatever_was_kept(serve: Serve, keys: Vault, login: Login) -> None:
    server = serve(TokenEndpoint())
    keys.save(app(server))
    keys.save_session(Session(server.url, "kept"))

    assert login(app(server)).login().access_token == "token-1"
    assert keys.load_session() == Session(server.url, "token-1")


def test_many_workers_renew_once(serve: Serve, login: Login) -> None:
    server = serve(TokenEndpoint())
    sessions = login(app(server))
    stale = sessions.current()
    gate = threading.Barrier(8)

    def work(_: int) -> Session:
        gate.wait()
        sessions.renew(stale)
        return sessions.current()

    with ThreadPoolExecutor(8) as pool:
        got = set(pool.map(work, range(8)))

    assert got == {Session(server.url, "token-2")}
    assert len(server.asked) == 2


def test_workers_that_waited_for_a_login_share_its_failure(serve: Serve, login: Login) -> None:
    server = serve(lambda asked: oauth_error("invalid_client", "invalid client credentials"))
    sessions = login(app(server))

    def work(_: int) -> str:
        with pytest.raises(LoginRefused) as refused:
            sessions.current()
        return refused.value.reason

    with ThreadPoolExecutor(4) as pool:
        reasons = list(pool.map(work, range(4)))

    assert reasons == ["invalid_client"] * 4
    assert len(server.asked) == 1


def test_a_session_that_another_process_renewed_is_taken_over(serve: Serve, keys: Vault, login: Login) -> None:
    server = serve(TokenEndpoint())
    keys.save(app(server))
    sessions = login(app(server))
    stale = sessions.current()
    keys.save_session(Session(server.url, "by-another-process"))

    fresh = sessions.renew(stale)

    assert not fresh
    assert sessions.current().access_token == "by-another-process"
    assert len(server.asked) == 1


def test_a_renewed_session_of_another_org_is_not_used_by_any_worker(serve: Serve, keys: Vault, login: Login) -> None:
    server = serve(lambda asked: json_reply({"access_token": "00D000000000002!new", "instance_url": server.url}))
    keys.save(app(server))
    stale = Session(server.url, "00D000000000001!old")
    keys.save_session(stale)
    sessions = login(app(server))
    assert sessions.current() == stale

    for work in (lambda: sessions.renew(stale), lambda: sessions.renew(stale), sessions.current):
        with pytest.raises(WrongOrg, match="00D000000000002"):
            work()


def test_another_org_is_known_by_what_the_login_tells_beside_a_token_that_names_none(
    serve: Serve, keys: Vault, login: Login
) -> None:
    orgs = iter(("00D000000000001AAA", "00D000000000002AAA"))

    def granted(asked: Asked) -> Reply:
        org = next(orgs)
        identity = f"https://login.salesforce.com/id/{org}/005000000000001AAA"
        return json_reply({"access_token": f"e30.{org}", "instance_url": server.url, "id": identity})

    server = serve(granted)
    keys.save(app(server))
    sessions = login(app(server))
    first = sessions.current()

    assert first.org_id == "00D000000000001"
    with pytest.raises(WrongOrg, match="00D000000000002"):
        sessions.renew(first)


def test_a_first_login_to_another_org_than_is_expected_is_not_used(serve: Serve, keys: Vault, login: Login) -> None:
    server = serve(lambda asked: json_reply({"access_token": "00D000000000002!new", "instance_url": server.url}))
    sessions = login(app(server))
    sessions.expect("00D000000000001")

    for _ in range(2):
        with pytest.raises(WrongOrg, match="00D000000000002"):
            sessions.current()


def test_processes_that_meet_an_ended_session_at_once_refresh_it_once(
    serve: Serve, keys: Vault, clock: QuickClock, wire: Wire, tmp_path: Path
) -> None:
    """Each has a vault of its own, as processes have; the token endpoint takes its time."""
    endpoint = TokenEndpoint(rotates=True)

    def slowly(asked: Asked) -> Reply:
        threading.Event().wait(0.2)
        return endpoint(asked)

    server = serve(slowly)
    keys.save(refreshing(server))
    stale = Session(server.url, "ended")
    keys.save_session(stale)
    processes = [Sessions(refreshing(server), wire, Vault(tmp_path / "replica.db"), clock) for _ in range(4)]
    gate = threading.Barrier(len(processes))

    def work(sessions: Sessions) -> tuple[bool, Session]:
        first = sessions.current()
        gate.wait()
        return sessions.renew(first), sessions.current()

    with ThreadPoolExecutor(len(processes)) as pool:
        got = list(pool.map(work, processes))

    assert len(server.asked) == 1
    assert sorted(fresh for fresh, _ in got) == [False, False, False, True]
    assert {session.access_token for _, session in got} == {"token-1"}


def test_first_logins_at_once_are_one(serve: Serve, keys: Vault, clock: QuickClock, wire: Wire, tmp_path: Path) -> None:
    endpoint = TokenEndpoint(rotates=True)
    server = serve(endpoint)
    keys.save(refreshing(server))
    processes = [Sessions(refreshing(server), wire, Vault(tmp_path / "replica.db"), clock) for _ in range(4)]
    gate = threading.Barrier(len(processes))

    def work(sessions: Sessions) -> str:
        gate.wait()
        return sessions.current().access_token

    with ThreadPoolExecutor(len(processes)) as pool:
        got = set(pool.map(work, processes))

    assert (got, len(server.asked)) == ({"token-1"}, 1)


def test_no_refresh_is_asked_for_whose_answer_could_not_be_kept(
    serve: Serve, keys: Vault, login: Login, tmp_path: Path
) -> None:
    """What stands where the new file would be made keeps it from being made, as a full disk does."""
    server = serve(TokenEndpoint(rotates=True))
    keys.save(refreshing(server))
    (tmp_path / "replica.db.connection.new").mkdir()

    with pytest.raises(StoreTrouble, match="cannot be written to"):
        login(refreshing(server)).current()

    assert server.asked == []


def test_a_rotated_refresh_token_is_kept_before_it_is_needed(serve: Serve, keys: Vault, login: Login) -> None:
    server = serve(TokenEndpoint(rotates=True))
    sessions = login(refreshing(server))

    stale = sessions.current()
    kept_after_login = keys.load()
    sessions.renew(stale)

    assert kept_after_login == replace(refreshing(server, "refresh-1"), origin=fingerprint("refresh-0"))
    assert keys.load() == replace(refreshing(server, "refresh-2"), origin=fingerprint("refresh-0"))
    assert sessions.current().access_token == "token-2"


def test_the_refresh_token_of_the_settings_gives_way_to_the_one_that_follows_it(serve: Serve, login: Login) -> None:
    server = serve(TokenEndpoint(rotates=True))
    login(refreshing(server)).login()

    again = login(refreshing(server)).login()

    assert again.access_token == "token-2"
    assert [form(each)["refresh_token"] for each in server.asked] == ["refresh-0", "refresh-1"]


def test_a_new_refresh_token_in_the_settings_wins(serve: Serve, keys: Vault, login: Login) -> None:
    endpoint = TokenEndpoint()
    server = serve(endpoint)
    keys.save(refreshing(server, "old"))
    endpoint.good_refresh = "pasted-anew"

    assert login(refreshing(server, "pasted-anew")).login().access_token == "token-1"


def test_a_login_that_was_forgotten_meanwhile_is_not_written_again(serve: Serve, keys: Vault, login: Login) -> None:
    server = serve(TokenEndpoint(rotates=True))
    keys.save(refreshing(server))
    sessions = login(refreshing(server))
    stale = sessions.current()

    keys.forget()

    with pytest.raises(NotConnected, match="forgotten"):
        sessions.renew(stale)
    assert (keys.load(), len(server.asked)) == (None, 1)


def test_a_login_that_was_replaced_meanwhile_does_not_come_back(serve: Serve, keys: Vault, login: Login) -> None:
    server = serve(TokenEndpoint(rotates=True))
    keys.save(refreshing(server))
    sessions = login(refreshing(server))
    stale = sessions.current()

    keys.save(app(server))

    with pytest.raises(NotConnected, match="replaced"):
        sessions.renew(stale)
    assert (keys.load(), len(server.asked)) == (app(server), 1)


def test_a_refresh_whose_answer_is_lost_is_not_sent_again(serve: Serve, login: Login) -> None:
    server = serve(lambda asked: Reply(b"{}", cut=0))

    with pytest.raises(Unreachable):
        login(refreshing(server)).current()

    assert len(server.asked) == 1


def test_other_logins_are_tried_again(serve: Serve, clock: QuickClock, login: Login) -> None:
    endpoint = TokenEndpoint()
    replies = iter([Reply(b"{}", cut=0), Reply(b"", 503), json_reply({}, 429, Retry_After="7")])
    server = serve(lambda asked: next(replies, None) or endpoint(asked))

    assert login(app(server)).current().access_token == "token-1"
    assert len(server.asked) == 4
    assert clock.slept[2] == 7.0


def test_a_login_host_that_stays_down_is_an_error_that_may_pass(serve: Serve, login: Login) -> None:
    server = serve(lambda asked: Reply(b"<html>down</html>", 503))

    with pytest.raises(Transient, match="down"):
        login(app(server)).current()

    assert len(server.asked) == 5


@pytest.mark.parametrize(
    ("error", "description", "hint"),
    [
        ("invalid_client_id", "client identifier invalid", "SF_CLIENT_ID"),
        ("invalid_client", "invalid client credentials", "SF_CLIENT_SECRET"),
        ("invalid_grant", "no client credentials user enabled", "Run As"),
        ("invalid_grant", "request not supported on this domain", "My Domain"),
        ("invalid_grant", "expired access/refresh token", "SF_REFRESH_TOKEN"),
        ("invalid_grant", "user hasn't approved this consumer", "Pre-authorise"),
        ("invalid_grant", "Audience validation failed", "SF_LOGIN_URL"),
        ("invalid_grant", "inactive user", "not active"),
        ("invalid_grant", "authentication failure", "user name"),
        ("unsupported_grant_type", "grant type not supported", "flow"),
        ("inactive_org", "inactive org", "locked"),
        ("rate_limit_exceeded", "rate", "wait"),
        ("HTTP_404", "", "token endpoint"),
        ("something_new", "whatever", "credentials"),
    ],
)
def test_every_refusal_says_what_to_do(error: str, description: str, hint: str) -> None:
    assert hint in hint_for(error, description)


def test_a_refused_login_names_the_reason_and_no_secret(serve: Serve, login: Login) -> None:
    server = serve(lambda asked: oauth_error("invalid_client", f"bad credentials in {asked.body.decode()}"))

    with pytest.raises(LoginRefused) as caught:
        login(app(server)).current()

    assert caught.value.reason == "invalid_client"
    assert caught.value.code == "INVALID_SESSION_ID"
    assert "very-secret" not in str(caught.value)
    assert len(server.asked) == 1


def test_a_login_host_that_has_moved_says_where_to(serve: Serve, login: Login) -> None:
    server = serve(lambda asked: Reply(b"", 301, {"Location": "https://new.my.salesforce.com/services/oauth2/token"}))

    with pytest.raises(LoginRefused, match=r"sends one on to https://new\.my\.salesforce\.com \(HTTP_301\)") as caught:
        login(app(server)).current()

    assert "salesforce.instance_url" in caught.value.hint


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b'{"token":"x"}', b"\xff"])
def test_an_answer_that_is_no_token_is_a_refused_login(body: bytes, serve: Serve, login: Login) -> None:
    server = serve(lambda asked: Reply(body))

    with pytest.raises(LoginRefused, match="no token"):
        login(app(server)).current()


def test_a_pasted_session_cannot_be_renewed(login: Login) -> None:
    pasted = Connection(LoginMethod.PASTED_SESSION, "https://acme.my.salesforce.com/", access_token="00D!x")
    sessions = login(pasted)

    assert sessions.current() == Session("https://acme.my.salesforce.com", "00D!x")
    with pytest.raises(SessionInvalid, match="pasted") as refused:
        sessions.renew(sessions.current())
    assert "salesforce-sync connect" in refused.value.hint  # by which each door knows what to do there


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def key_file(private_key: rsa.RSAPrivateKey, tmp_path: Path) -> Path:
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "key.pem"
    path.write_bytes(pem)
    return path


def signed(url: str, key_file: Path) -> Connection:
    return Connection(
        LoginMethod.JWT_BEARER, url, client_id="app", username="ada@example.org", jwt_key_file=str(key_file)
    )


def test_a_jwt_is_signed_by_the_users_key(
    serve: Serve, clock: QuickClock, key_file: Path, private_key: rsa.RSAPrivateKey, login: Login
) -> None:
    server = serve(TokenEndpoint())

    login(signed(server.url, key_file)).current()

    told = form(server.asked[0])
    claims = jwt.decode(
        told["assertion"], private_key.public_key(), ["RS256"], audience=server.url, options={"verify_exp": False}
    )
    assert told["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert (claims["iss"], claims["sub"]) == ("app", "ada@example.org")
    assert 0 < claims["exp"] - clock.now().timestamp() <= 180


def test_a_host_that_wants_salesforces_own_audience_gets_it(serve: Serve, key_file: Path, login: Login) -> None:
    endpoint = TokenEndpoint()

    def answer(asked: Asked) -> Reply:
        claims = jwt.decode(form(asked)["assertion"], options={"verify_signature": False})
        if claims["aud"] != "https://login.salesforce.com":
            return oauth_error("invalid_grant", "Audience validation failed")
        return endpoint(asked)

    server = serve(answer)

    assert login(signed(server.url, key_file)).current().access_token == "token-1"


@pytest.mark.parametrize(
    "content", [None, b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_key_file_without_a_key_is_named(content: bytes | None, tmp_path: Path, login: Login) -> None:
    path = tmp_path / "other.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"other\.pem"):
        login(signed("http://127.0.0.1:1", path)).current()


def test_the_public_half_of_a_key_is_no_private_key(
    tmp_path: Path, private_key: rsa.RSAPrivateKey, login: Login
) -> None:
    path = tmp_path / "public.pem"
    path.write_bytes(
        private_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )

    with pytest.raises(ConfigError, match=r"public\.pem holds no RSA private key"):
        login(signed("http://127.0.0.1:1", path)).current()


def test_a_key_with_a_passphrase_is_told_with_how_to_take_it_off(
    tmp_path: Path, private_key: rsa.RSAPrivateKey, login: Login
) -> None:
    path = tmp_path / "locked.pem"
    locked = serialization.BestAvailableEncryption(b"a passphrase")
    path.write_bytes(private_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))

    with pytest.raises(ConfigError, match=r"locked\.pem is locked by a passphrase") as refused:
        login(signed("http://127.0.0.1:1", path)).current()
    assert "openssl rsa" in refused.value.hint


def test_a_login_host_that_is_not_there_is_told_with_the_setting_that_names_it(key_file: Path, login: Login) -> None:
    with pytest.raises(Unreachable, match=r"No connection to 127\.0\.0\.1:1:") as broken:
        login(replace(signed("https://example.invalid", key_file), login_url="http://127.0.0.1:1")).current()
    assert "SF_LOGIN_URL" in broken.value.hint


def test_replies_may_have_any_other_keys(serve: Serve, login: Login) -> None:
    reply = {"access_token": "t", "scope": "api id", "issued_at": "1708058728442", "token_type": "Bearer", "new": [1]}
    server = serve(lambda asked: Reply(json.dumps(reply).encode()))

    assert login(app(server)).current() == Session(server.url, "t")
