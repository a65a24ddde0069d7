"""Secrets at rest: encrypted, private from the first byte, and never lost to a second writer."""

import os
import stat
import subprocess
import sys

import pytest
from cryptography.fernet import Fernet
from msgspec.structs import replace

from salesforce_sync.errors import ConfigError, NotConnected, StoreBusy, StoreTrouble
from salesforce_sync.models.connection import Connection, LoginMethod, Session, fingerprint
from salesforce_sync.storage.private_files import locked
from salesforce_sync.storage.vault import Vault

ORG = "https://acme.my.salesforce.com"
CONNECTION = Connection(
    LoginMethod.REFRESH_TOKEN,
    ORG,
    login_url="https://login.example",
    client_id="app",
    client_secret="s3cr3t",
    refresh_token="r3fresh",
)
SESSION = Session(ORG, "00D!t0ken")


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch):
    monkeypatch.delenv("SF_SYNC_KEY", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.fixture
def database(tmp_path):
    return tmp_path / "data" / "salesforce.db"


def files(database):
    return {each.name: each for each in database.parent.iterdir()} if database.parent.exists() else {}


def test_what_was_saved_is_loaded_by_another_vault(database):
    Vault(database).save(CONNECTION)
    Vault(database).save_session(SESSION)

    assert Vault(database).load() == CONNECTION
    assert Vault(database).load_session() == SESSION


def test_an_empty_vault_has_nothing_and_leaves_nothing(database):
    assert Vault(database).load() is None
    assert Vault(database).load_session() is None
    assert files(database) == {}


def test_what_was_saved_can_be_forgotten_with_its_key(database):
    vault = Vault(database)
    vault.save(CONNECTION)
    vault.save_session(SESSION)

    vault.forget()

    assert (vault.load(), vault.load_session()) == (None, None)
    assert set(files(database)) == {"salesforce.db.connection.lock"}


def test_a_session_can_be_forgotten(database):
    vault = Vault(database)
    vault.save(CONNECTION)
    vault.save_session(SESSION)
    vault.save_session(None)

    assert vault.load_session() is None
    assert vault.load() == CONNECTION


def test_nothing_secret_is_readable_in_any_file(database):
    vault = Vault(database)
    vault.save(CONNECTION)
    vault.save_session(SESSION)

    kept = b"".join(each.read_bytes() for each in files(database).values())
    assert kept
    assert not [secret for secret in (b"s3cr3t", b"r3fresh", b"t0ken", b"acme") if secret in kept]


def test_every_file_is_private_whatever_the_umask(database):
    before = os.umask(0)
    try:
        Vault(database).save(CONNECTION)
    finally:
        os.umask(before)

    modes = {name: stat.S_IMODE(each.stat().st_mode) for name, each in files(database).items()}
    assert modes == dict.fromkeys(
        ["salesforce.db.connection", "salesforce.db.connection.lock", "salesforce.db.key"], 0o600
    )


def test_files_are_private_from_their_first_byte(database):
    """Seen in a process of its own, at the moment each file is created and still empty."""
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from salesforce_sync.models.connection import Connection, LoginMethod\n"
        "from salesforce_sync.storage.vault import Vault\n"
        "Vault(Path('warm/x.db')).save(Connection(LoginMethod.PASTED_SESSION, 'https://a.example'))\n"
        "opened = []\n"
        "def watch(event, arguments):\n"
        "    if event == 'open' and 'salesforce.db' in str(arguments[0]):\n"
        "        opened.append(arguments)\n"
        "sys.addaudithook(watch)\n"
        "os.umask(0)\n"
        "real_open = os.open\n"
        "def seen(path, flags, mode=0o777, **more):\n"
        "    handle = real_open(path, flags, mode, **more)\n"
        "    if flags & os.O_CREAT:\n"
        "        print(Path(path).name, oct(os.fstat(handle).st_mode & 0o777), os.fstat(handle).st_size)\n"
        "    return handle\n"
        "os.open = seen\n"
        "Vault(Path('data/salesforce.db')).save(Connection(LoginMethod.PASTED_SESSION, 'https://a.example'))\n"
        "print(sum(1 for each in opened if 'w' in str(each[1])), 'opened for writing by name')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=database.parents[1], capture_output=True, text=True, check=True
    )

    assert run.stdout.splitlines() == [
        "salesforce.db.connection.lock 0o600 0",
        "salesforce.db.key.new 0o600 0",
        "salesforce.db.connection.new 0o600 0",
        "0 opened for writing by name",
    ]


def test_a_file_that_others_could_read_is_closed_to_them(database):
    Vault(database).save(CONNECTION)
    for each in files(database).values():
        each.chmod(0o644)

    Vault(database).load()

    assert {stat.S_IMODE(files(database)[name].stat().st_mode) for name in _secret_files()} == {0o600}


def _secret_files():
    return ["salesforce.db.connection", "salesforce.db.key"]


def test_a_key_from_the_environment_leaves_no_key_file(database, monkeypatch):
    monkeypatch.setenv("SF_SYNC_KEY", Fernet.generate_key().decode())
    Vault(database).save(CONNECTION)

    assert "salesforce.db.key" not in files(database)
    assert Vault(database).load() == CONNECTION


def test_a_key_that_was_given_comes_before_the_environment(database, monkeypatch):
    given = Fernet.generate_key().decode()
    monkeypatch.setenv("SF_SYNC_KEY", Fernet.generate_key().decode())
    Vault(database, sync_key=given).save(CONNECTION)

    assert Vault(database, sync_key=given).load() == CONNECTION
    with pytest.raises(NotConnected):
        Vault(database).load()


def test_the_key_comes_from_systemd_and_no_key_file_is_made(database, tmp_path, monkeypatch):
    (tmp_path / "sf_sync_key").write_bytes(Fernet.generate_key() + b"\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    Vault(database).save(CONNECTION)

    again = Vault(database).load()
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")

    assert again == CONNECTION
    assert f"{database.name}.key" not in files(database)
    with pytest.raises(NotConnected):
        Vault(database).load()


def test_the_environments_key_goes_before_systemds_and_a_credential_that_is_none_says_so(
    database, tmp_path, monkeypatch
):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "sf_sync_key").write_text("no key")
    monkeypatch.setenv("SF_SYNC_KEY", Fernet.generate_key().decode())
    Vault(database).save(CONNECTION)
    monkeypatch.delenv("SF_SYNC_KEY")

    with pytest.raises(ConfigError, match="sf_sync_key"):
        Vault(database).load()


def test_keys_are_rotated_by_putting_the_new_one_first(database):
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    Vault(database, sync_key=old).save(CONNECTION)
    during = Vault(database, sync_key=f"{new}, {old}")
    read_with_both = during.load()
    during.save_session(SESSION)
    after = Vault(database, sync_key=new)

    assert read_with_both == CONNECTION
    assert (after.load(), after.load_session()) == (CONNECTION, SESSION)


def test_a_key_from_the_environment_takes_over_from_the_key_file_and_says_so_once(database, caplog):
    Vault(database).save(CONNECTION)
    Vault(database).save_session(SESSION)
    given = Fernet.generate_key().decode()
    before = list(caplog.records)
    Vault(database, sync_key=given).save_session(SESSION)
    Vault(database, sync_key=given).save_session(SESSION)

    (told,) = [each.getMessage() for each in caplog.records]
    assert before == []
    assert "salesforce.db.key alone opens it no more" in told
    with pytest.raises(NotConnected) as refused:
        Vault(database).load()
    assert "LoadCredential=sf_sync_key" in refused.value.hint
    files(database)["salesforce.db.key"].unlink()

    assert Vault(database, sync_key=given).load() == CONNECTION


def test_a_wrong_key_says_to_connect_again_and_connecting_mends_it(database):
    Vault(database, sync_key=Fernet.generate_key().decode()).save(CONNECTION)
    other = Vault(database, sync_key=Fernet.generate_key().decode())
    with pytest.raises(NotConnected, match="cannot be decrypted") as on_load:
        other.load()
    with pytest.raises(NotConnected):
        other.save_session(SESSION)
    other.save(CONNECTION)

    assert "salesforce-sync connect" in on_load.value.hint
    assert (other.load(), other.load_session()) == (CONNECTION, None)


@pytest.mark.parametrize("damage", [lambda key: key.unlink(), lambda key: key.write_text("rubbish")])
def test_a_lost_key_file_says_to_connect_again_and_connecting_mends_it(database, damage):
    vault = Vault(database)
    vault.save(CONNECTION)
    damage(files(database)["salesforce.db.key"])
    with pytest.raises(NotConnected, match="is gone or damaged") as lost:
        vault.load()
    vault.save(CONNECTION)

    assert "salesforce-sync connect" in lost.value.hint
    assert vault.load() == CONNECTION


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x00\xff"])
def test_a_damaged_file_says_to_connect_again(database, content):
    Vault(database).save(CONNECTION)
    files(database)["salesforce.db.connection"].write_bytes(content)

    with pytest.raises(NotConnected, match="cannot be decrypted"):
        Vault(database).load()


def test_a_key_that_is_none_is_a_setting_that_is_wrong(database):
    with pytest.raises(ConfigError, match="SF_SYNC_KEY does not hold a Fernet key") as error:
        Vault(database, sync_key="not-a-key").save(CONNECTION)

    assert "not-a-key" not in str(error.value)
    assert "salesforce.db.connection" not in files(database)


def test_another_login_does_not_inherit_the_session(database):
    vault = Vault(database)
    vault.save(CONNECTION)
    vault.save_session(SESSION)
    vault.save(Connection(LoginMethod.PASTED_SESSION, "https://other.example", access_token="x"))

    assert vault.load_session() is None


def test_a_rotated_refresh_token_keeps_the_session(database):
    vault = Vault(database)
    vault.save(CONNECTION)
    vault.save_session(SESSION)
    once = replace(CONNECTION, refresh_token="n3w", origin=fingerprint("r3fresh"))
    vault.save(once)
    vault.save(replace(once, refresh_token="n3wer"))

    assert vault.load() == replace(once, refresh_token="n3wer")
    assert vault.load_session() == SESSION
    assert vault.holds(CONNECTION)


def test_a_refresh_token_that_a_person_gave_anew_is_another_login(database):
    vault = Vault(database)
    vault.save(CONNECTION)
    vault.save_session(SESSION)
    given = replace(CONNECTION, refresh_token="of somebody else")

    assert not vault.holds(given)
    vault.save(given)
    assert vault.load_session() is None


def test_what_a_killed_process_left_aside_does_not_matter(database):
    database.parent.mkdir()
    left = database.with_name("salesforce.db.connection.new")
    left.write_text("half")
    left.chmod(0o644)
    Vault(database).save(CONNECTION)

    assert Vault(database).load() == CONNECTION
    assert stat.S_IMODE(files(database)["salesforce.db.connection"].stat().st_mode) == 0o600
    assert "salesforce.db.connection.new" not in files(database)


WRITER = """
import sys
from msgspec.structs import replace
from pathlib import Path
from salesforce_sync.models.connection import Connection, LoginMethod, Session
from salesforce_sync.storage.vault import Vault

vault = Vault(Path("data/salesforce.db"))
first = Connection(LoginMethod.REFRESH_TOKEN, "https://a.example", client_id="app", origin="first")
who = sys.argv[1]
for turn in range(40):
    if who == "connection":
        vault.save(replace(first, refresh_token=str(turn)))
    else:
        vault.save_session(Session("https://a.example", str(turn)))
    kept, session = vault.load(), vault.load_session()
    assert kept is None or kept.client_id == "app", kept
    assert who != "session" or session is not None
"""


def test_two_processes_that_write_lose_nothing_of_each_other(database):
    Vault(database).save(Connection(LoginMethod.REFRESH_TOKEN, "https://a.example", client_id="app", origin="first"))
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, who], cwd=database.parents[1], stderr=subprocess.PIPE)
        for who in ("connection", "session")
    ]
    errors = [writer.communicate(timeout=60)[1].decode() for writer in writers]

    assert errors == ["", ""]
    vault = Vault(database)
    assert vault.load() == Connection(
        LoginMethod.REFRESH_TOKEN, "https://a.example", client_id="app", refresh_token="39", origin="first"
    )
    assert vault.load_session() == Session("https://a.example", "39")


def test_processes_that_make_the_first_key_at_once_agree_on_it(database):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, "connection"], cwd=database.parents[1], stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    errors = [writer.communicate(timeout=60)[1].decode() for writer in writers]

    assert errors == ["", "", ""]
    kept = Vault(database).load()
    assert kept is not None
    assert kept.refresh_token == "39"


def test_the_first_token_does_not_come_back_over_the_one_that_followed_it(database):
    """A second process that starts with the settings' token, while the first has had it rotated."""
    vault = Vault(database)
    vault.save(CONNECTION)
    rotated = replace(CONNECTION, refresh_token="n3w", origin=fingerprint("r3fresh"))
    vault.save(rotated)
    Vault(database).save(CONNECTION)

    assert vault.load() == rotated


def test_who_is_alone_may_save_and_come_in_again(database):
    vault, other = Vault(database), Vault(database)
    with vault.exclusive(), other.exclusive():
        vault.save(CONNECTION)
        other.save_session(SESSION)

    assert (vault.load(), vault.load_session()) == (CONNECTION, SESSION)


def test_a_lock_that_is_never_given_up_is_told_of(database):
    lock = database.with_name("salesforce.db.connection.lock")
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from salesforce_sync.storage.vault import Vault\n"
        "with Vault(Path('data/salesforce.db')).exclusive():\n"
        "    print('in', flush=True)\n"
        "    sys.stdin.readline()\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], cwd=database.parents[1], stdin=pipe, stdout=pipe) as holder:
        holder.stdout.readline()
        with pytest.raises(StoreBusy, match="locked"), locked(lock, patience=0.1):
            pass
        holder.communicate(b"\n")
    with locked(lock, patience=0.1):
        assert lock.exists()


def test_a_token_is_saved_in_the_room_that_was_taken_before(database):
    """So that a disk that is full by then does not matter: neither a new file nor more blocks are needed."""
    vault = Vault(database)
    vault.save(replace(CONNECTION, origin="first"))
    rotated = replace(CONNECTION, refresh_token="rotated" * 100, origin="first")
    with vault.room():
        aside = files(database)["salesforce.db.connection.new"].stat()
        vault.save(rotated)
        vault.save_session(SESSION)
        kept_in = files(database)["salesforce.db.connection"].stat()

    assert aside.st_size > 8192
    assert aside.st_blocks * 512 >= aside.st_size
    assert vault.load() == rotated
    assert vault.load_session() == SESSION
    assert stat.S_IMODE(kept_in.st_mode) == 0o600


def test_the_room_that_was_taken_becomes_the_file(database):
    vault = Vault(database)
    vault.save(CONNECTION)
    with vault.room():
        aside = files(database)["salesforce.db.connection.new"].stat().st_ino
        vault.save(replace(CONNECTION, refresh_token="n3w", origin=fingerprint("r3fresh")))

    assert files(database)["salesforce.db.connection"].stat().st_ino == aside


def test_room_that_was_not_used_is_given_back(database):
    vault = Vault(database)
    vault.save(CONNECTION)
    with vault.room():
        during = set(files(database))

    assert "salesforce.db.connection.new" in during
    assert "salesforce.db.connection.new" not in files(database)


def test_a_folder_that_takes_no_file_is_told_of(database):
    database.parent.mkdir()
    database.with_name("salesforce.db.connection.lock").mkdir()

    with pytest.raises(StoreTrouble, match="cannot be written to"):
        Vault(database).save(CONNECTION)
