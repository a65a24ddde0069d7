"""Every way of logging in, against a simulated org's token endpoint over a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec.structs import replace

from salesforce_sync.api.client import SalesforceOrg
from salesforce_sync.app import SystemClock
from salesforce_sync.errors import LoginRefused
from salesforce_sync.models.connection import Connection, LoginMethod
from salesforce_sync.storage.vault import Vault
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.org import SimOrg

Open = Callable[[Connection], SalesforceOrg]


@pytest.fixture
def sim() -> Iterator[SimOrg]:
    with SimOrg(5) as org, org.serve():
        yield org


@pytest.fixture
def keys(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "replica.db")


@pytest.fixture
def connect(tmp_path: Path, keys: Vault) -> Iterator[Open]:
    """Connect as a new process would: what lasts is in the vault only."""
    opened: list[SalesforceOrg] = []

    def to(connection: Connection) -> SalesforceOrg:
        if not keys.holds(connection):
            keys.save(connection)
        org = SalesforceOrg(connection, api_version="58.0", work_dir=tmp_path, keys=keys, clock=SystemClock())
        opened.append(org)
        return org

    yield to
    for org in opened:
        org.close()


def app(sim: SimOrg) -> Connection:
    return Connection(LoginMethod.CLIENT_CREDENTIALS, sim.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)


def refreshing(sim: SimOrg) -> Connection:
    granted = sim.sessions.grant(sim.user_id, CLIENT_ID, "api refresh_token")
    return Connection(
        LoginMethod.REFRESH_TOKEN,
        sim.url,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        refresh_token=granted.token,
    )


@pytest.fixture
def signed(sim: SimOrg, tmp_path: Path) -> Connection:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    sim.clients.first.public_key = public.decode()
    path = tmp_path / "key.pem"
    path.write_bytes(private)
    with sim.lock:
        ((username,),) = sim.db.execute('SELECT "Username" FROM "User" WHERE "Id" = ?', (sim.user_id,))
    return Connection(
        LoginMethod.JWT_BEARER, sim.url, client_id=CLIENT_ID, username=str(username), jwt_key_file=str(path)
    )


def test_client_credentials_log_in(sim: SimOrg, connect: Open) -> None:
    assert connect(app(sim)).login().instance_url == sim.url


def test_a_wrong_secret_is_refused_with_a_hint(sim: SimOrg, connect: Open) -> None:
    with pytest.raises(LoginRefused) as caught:
        connect(replace(app(sim), client_secret="wrong-secret")).login()

    assert caught.value.reason == "invalid_client"
    assert "SF_CLIENT_SECRET" in caught.value.hint
    assert "wrong-secret" not in str(caught.value)


def test_an_app_without_a_user_is_refused_with_a_hint(sim: SimOrg, connect: Open) -> None:
    sim.clients.first.run_as = None

    with pytest.raises(LoginRefused, match="Run As"):
        connect(app(sim)).login()


def test_a_jwt_logs_in(signed: Connection, sim: SimOrg, connect: Open) -> None:
    org = connect(signed)

    assert org.login().instance_url == sim.url
    assert org.objects()


@pytest.mark.parametrize("off", [-3600, 3600, -86_400])
def test_a_jwt_logs_in_where_this_machines_clock_is_wrong(
    off: float, signed: Connection, sim: SimOrg, connect: Open
) -> None:
    sim.clock.advance(-off)

    assert connect(signed).login().instance_url == sim.url


def test_a_user_who_did_not_approve_the_app_is_refused_with_a_hint(
    signed: Connection, sim: SimOrg, connect: Open
) -> None:
    sim.clients.first.approved = False

    with pytest.raises(LoginRefused, match="Pre-authorise"):
        connect(signed).login()


def test_a_refresh_token_logs_in_again_and_again(sim: SimOrg, connect: Open) -> None:
    connection = refreshing(sim)

    assert connect(connection).login() != connect(connection).login()


def test_a_rotating_refresh_token_lives_on_over_runs_and_ended_sessions(sim: SimOrg, connect: Open) -> None:
    sim.clients.first.rotate_refresh_tokens = True
    connection = refreshing(sim)

    for _ in range(3):  # each a process that only knows what .env says
        org = connect(connection)
        org.objects()
        sim.sessions.end_all()
        assert org.objects()


def test_a_session_is_shared_by_runs(sim: SimOrg, connect: Open) -> None:
    first = connect(app(sim))
    first.objects()

    second = connect(app(sim))
    second.objects()

    assert first._sessions.current() == second._sessions.current()


def test_a_session_that_was_left_idle_is_renewed(sim: SimOrg, connect: Open) -> None:
    org = connect(app(sim))
    org.objects()
    sim.clock.advance(3 * 3600)

    assert org.objects()
    assert org.usage.spent == 3
