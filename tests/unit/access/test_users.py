"""Who may come in: tokens, roles, browser sessions, links that log in once."""

import stat
import threading
from datetime import timedelta

import apsw
import pytest

from salesforce_sync.access import Access, Role
from salesforce_sync.errors import Misuse, UserNotFound
from tests.unit.locks import may_be_locked


def test_a_token_brings_its_user_and_is_kept_only_as_a_hash(access):
    ada, token = access.users.add("ada", Role.EDITOR)

    assert access.users.by_token(token) == ada
    assert token.encode() not in access.path.read_bytes() + access.path.with_name("access.db-wal").read_bytes()


@pytest.mark.parametrize(
    "attack",
    [
        "",
        "sfsync_",
        "' OR 1=1 --",
        "%",
        "sfsync_" + "A" * 43,
        "A" * 1_000_000,
        "sfsync_" + "é" * 43,
        "\x00" * 50,
        "null",
    ],
    ids=range(9),
)
def test_no_other_text_is_a_token(access, attack):
    access.users.add("ada", Role.ADMIN)

    assert access.users.by_token(attack) is None
    assert access.logins.session(attack) is None
    assert access.logins.follow(attack) is None


def test_a_token_but_for_a_letter_is_no_token(access):
    _, token = access.users.add("ada", Role.ADMIN)

    assert access.users.by_token(token[:-1] + ("A" if token[-1] != "A" else "B")) is None
    assert access.users.by_token(token.removeprefix("sfsync_")) is None
    assert access.users.by_token(token + "\n") is None
    assert access.users.by_token(token.swapcase()) is None


def test_the_hash_from_a_stolen_file_is_no_token(access):
    access.users.add("ada", Role.ADMIN)
    stolen = apsw.Connection(str(access.path), flags=apsw.SQLITE_OPEN_READONLY)
    (kept,) = stolen.execute("SELECT token_hash FROM user").fetchone()

    assert access.users.by_token(kept) is None


def test_file_and_folder_are_their_owners_alone(access):
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in access.path.parent.iterdir()}

    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(access.path.parent.stat().st_mode) == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(access, config, clock):
    access.users.add("ada", Role.ADMIN)
    for each in access.path.parent.iterdir():
        each.chmod(0o666)

    with Access(config, clock):
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in access.path.parent.iterdir()}

    assert modes == {"access.db": 0o600, "access.db-shm": 0o600, "access.db-wal": 0o600}


def test_whoever_opens_it_a_second_time_leaves_the_locks_of_the_first(access, config, clock):
    access.users.add("ada", Role.ADMIN)

    with Access(config, clock):
        pass

    assert not may_be_locked(access.path)


def test_another_role_holds_at_once_by_every_door(access):
    ada, token = access.users.add("ada", Role.VIEWER)
    cookie = access.logins.open(ada).cookie

    changed = access.users.change_role("ADA", Role.ADMIN)

    assert (changed.id, changed.role) == (ada.id, Role.ADMIN)
    assert access.users.by_token(token).role is Role.ADMIN
    assert access.logins.session(cookie).user.role is Role.ADMIN
    with pytest.raises(UserNotFound):
        access.users.change_role("bob", Role.ADMIN)


def test_a_revoked_user_is_out_at_once_by_every_door(access):
    ada, token = access.users.add("ada", Role.ADMIN)
    cookie, link = access.logins.open(ada).cookie, access.logins.link(ada)

    access.users.revoke("ADA")

    assert access.users.by_token(token) is None
    assert access.logins.session(cookie) is None
    assert access.logins.follow(link) is None
    assert access.users.list() == ()


def test_a_new_user_of_an_old_name_is_somebody_else(access):
    first, _ = access.users.add("ada", Role.EDITOR)
    access.connections.add("sales", "https://acme.my.salesforce.com", first)
    access.users.revoke("ada")

    again, _ = access.users.add("ada", Role.EDITOR)

    assert again.id != first.id
    assert [each.id for each in access.connections.list(again)] == ["default"]


@pytest.mark.parametrize("name", ["", " ", "a b", "-x", "../x", "a" * 65, "ada\n", "a;b", "é"])
def test_names_that_are_none(access, name):
    with pytest.raises(Misuse):
        access.users.add(name, Role.VIEWER)


def test_a_name_is_taken_whatever_its_case(access):
    access.users.add("ada", Role.VIEWER)

    with pytest.raises(Misuse, match="already"):
        access.users.add("Ada", Role.VIEWER)
    with pytest.raises(UserNotFound):
        access.users.named("bob")


def test_each_role_may_what_those_before_it_may():
    allowed = {(role, needed) for role in Role for needed in Role if role.allows(needed)}

    assert allowed == {
        (Role.VIEWER, Role.VIEWER),
        (Role.EDITOR, Role.VIEWER),
        (Role.EDITOR, Role.EDITOR),
        (Role.ADMIN, Role.VIEWER),
        (Role.ADMIN, Role.EDITOR),
        (Role.ADMIN, Role.ADMIN),
    }


def test_a_session_ends_when_it_is_not_used(access, clock):
    ada, _ = access.users.add("ada", Role.VIEWER)
    cookie = access.logins.open(ada).cookie

    for _ in range(3):
        clock.advance(timedelta(hours=11))
        assert access.logins.session(cookie) is not None
    clock.advance(timedelta(hours=13))

    assert access.logins.session(cookie) is None


def test_a_session_ends_after_a_week_however_much_it_is_used(access, clock):
    ada, _ = access.users.add("ada", Role.VIEWER)
    cookie = access.logins.open(ada).cookie

    while (session := access.logins.session(cookie)) is not None:
        assert session.ends_at >= clock.now()
        clock.advance(timedelta(hours=6))

    assert clock.now() - ada.made_at == timedelta(days=7, hours=6)


def test_a_csrf_token_belongs_to_its_session_alone(access):
    ada, _ = access.users.add("ada", Role.VIEWER)
    one, other = access.logins.open(ada), access.logins.open(ada)

    assert access.logins.session(one.cookie).takes(one.session.csrf)
    assert not access.logins.session(one.cookie).takes(other.session.csrf)
    assert not access.logins.session(one.cookie).takes("")
    assert not access.logins.session(one.cookie).takes("é")


def test_a_closed_session_is_closed(access):
    ada, _ = access.users.add("ada", Role.VIEWER)
    cookie = access.logins.open(ada).cookie

    access.logins.close(cookie)

    assert access.logins.session(cookie) is None


def test_a_link_logs_in_once_of_many_at_once(access):
    ada, _ = access.users.add("ada", Role.ADMIN)
    secret, came = access.logins.link(ada), []
    threads = [threading.Thread(target=lambda: came.append(access.logins.follow(secret))) for _ in range(8)]

    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sorted(each.name for each in came if each is not None) == ["ada"]


def test_a_link_ends_after_a_quarter_of_an_hour_and_with_the_next_one(access, clock):
    ada, _ = access.users.add("ada", Role.ADMIN)
    first = access.logins.link(ada)
    second = access.logins.link(ada)
    clock.advance(timedelta(minutes=16))

    assert access.logins.follow(first) is None
    assert access.logins.follow(second) is None


def test_secrets_do_not_show(access):
    ada, _ = access.users.add("ada", Role.ADMIN)
    opened = access.logins.open(ada)

    assert opened.cookie not in repr(opened)
    assert opened.session.csrf not in repr(opened)
