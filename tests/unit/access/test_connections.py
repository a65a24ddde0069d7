"""Several orgs, each with an owner: whose it is not, for him it is not there."""

import stat

import pytest

from salesforce_sync.access import Role
from salesforce_sync.errors import ConnectionNotFound, Misuse

ORG = "https://other.my.salesforce.com"


@pytest.fixture
def ada(access):
    return access.users.add("ada", Role.EDITOR)[0]


@pytest.fixture
def bob(access):
    return access.users.add("bob", Role.EDITOR)[0]


@pytest.fixture
def root(access):
    return access.users.add("root", Role.ADMIN)[0]


def refusal(call):
    with pytest.raises(ConnectionNotFound) as refused:
        call()
    return refused.value.code, refused.value.message, refused.value.hint


def test_an_owner_who_was_revoked_is_told_apart_from_a_new_user_of_the_same_name(access):
    ada, _ = access.users.add("ada", Role.EDITOR)
    access.connections.add("sales", "https://acme.my.salesforce.com", ada)
    access.users.revoke("ada")
    again, _ = access.users.add("ada", Role.EDITOR)
    access.connections.add("sales", "https://acme.my.salesforce.com", again)

    assert sorted(str(each.owner) for each in access.connections.list()[1:]) == ["ada", "ada (revoked)"]


def test_the_default_connection_is_config_yamls_and_everybodys(access, config, ada):
    found = access.connections.get("default", ada)

    assert (found.instance_url, found.database) == ("https://acme.my.salesforce.com", config.storage.path)
    assert access.connections.config_of("default", ada) is config


def test_each_connection_has_a_private_folder_that_no_name_decides(access, config, ada):
    made = access.connections.add("sales", ORG, ada)
    opened = access.connections.config_of("sales", ada)

    folder = made.database.parent
    assert folder == config.storage.path.parent / "connections" / made.id
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert (opened.storage.path, opened.salesforce.instance_url) == (made.database, ORG)


def test_credentials_of_the_default_one_are_not_used_for_another(access, clock, tmp_path, ada):
    from salesforce_sync.access import Access
    from salesforce_sync.config import Config

    environ = {"SF_CLIENT_ID": "app", "SF_CLIENT_SECRET": "s", "SF_SYNC_KEY": "k", "SF_LOGIN_URL": "https://x.example"}
    config = Config.load(environ=environ, storage_path=tmp_path / "data" / "salesforce.db", instance_url=ORG)
    with Access(config, clock) as other:
        other.connections.add("sales", ORG)
        opened = other.connections.config_of("sales")

    assert opened.connection() is None
    assert opened.credentials.login_url is None
    assert opened.credentials.sync_key == "k"


def test_somebody_elses_answers_exactly_like_one_that_does_not_exist(access, ada, bob):
    made = access.connections.add("sales", ORG, ada)
    get, connections = access.connections.get, access.connections

    for name in ("sales", made.id):
        theirs = refusal(lambda name=name: get(name, bob))
        access.connections.remove(made.id, ada)
        nobodys = refusal(lambda name=name: get(name, bob))
        made = access.connections.add("sales", ORG, ada)
        assert theirs == nobodys
    for act in (
        lambda: connections.config_of(made.id, bob),
        lambda: connections.remove(made.id, bob),
        lambda: connections.share(made.id, bob, bob),
        lambda: connections.unshare(made.id, ada, bob),
    ):
        assert refusal(act)[0] == "CONNECTION_NOT_FOUND"
    assert [each.id for each in connections.list(bob)] == ["default"]


def test_a_name_that_somebody_else_has_taken_is_free(access, ada, bob):
    first = access.connections.add("sales", ORG, ada)
    second = access.connections.add("sales", ORG, bob)

    assert access.connections.get("sales", ada).id == first.id
    assert access.connections.get("sales", bob).id == second.id
    with pytest.raises(Misuse, match="already"):
        access.connections.add("sales", ORG, ada)


def test_an_admin_sees_all_and_names_one_of_two_by_its_id(access, ada, bob, root):
    first = access.connections.add("sales", ORG, ada)
    access.connections.add("sales", ORG, bob)

    with pytest.raises(Misuse, match="several"):
        access.connections.get("sales", root)
    assert access.connections.get(first.id, root).owner == "ada"
    assert len(access.connections.list(root)) == 3


def test_a_shared_one_is_there_for_its_guest_until_it_is_taken_back(access, ada, bob):
    made = access.connections.add("sales", ORG, ada)

    access.connections.share("sales", bob, ada)
    shared = access.connections.get(made.id, bob)
    refused = refusal(lambda: access.connections.remove(made.id, bob))
    access.connections.unshare("sales", bob, ada)

    assert shared.id == made.id
    assert refused[0] == "CONNECTION_NOT_FOUND"
    assert refusal(lambda: access.connections.get(made.id, bob))[0] == "CONNECTION_NOT_FOUND"


def test_what_this_machine_made_is_admins(access, ada, root):
    access.connections.add("sales", ORG)

    assert [each.name for each in access.connections.list(ada)] == ["default"]
    assert [each.name for each in access.connections.list(root)] == ["default", "sales"]
    assert [each.name for each in access.connections.list()] == ["default", "sales"]


TRICKS = ["", ".", "..", "../x", "a/b", "a\\b", "/etc", "~", "a b", "A", "Sales", "-x", "_x", "a" * 41, "é", "con\n",
          "a\x00b", "default", "con_0123456789abcdef", "%2e%2e", "a.db", "'; DROP TABLE connection; --"]  # fmt: skip


@pytest.mark.parametrize("name", TRICKS)
def test_no_trick_is_a_name(access, name):
    with pytest.raises(Misuse):
        access.connections.add(name, ORG)

    assert not (access.path.parent / "connections").exists()


@pytest.mark.parametrize("name", [each for each in TRICKS if each != "default"] + ["x" * 100_000])
def test_no_trick_finds_anything_and_its_answer_is_short(access, name):
    with pytest.raises(ConnectionNotFound) as refused:
        access.connections.get(name)

    assert len(refused.value.message) < 200


@pytest.mark.parametrize(
    "url", ["http://acme.my.salesforce.com", "https://u:p@x.example", "file:///etc", "https://x/y", ""]
)
def test_an_address_that_is_none_is_refused(access, url):
    with pytest.raises(Misuse):
        access.connections.add("sales", url)


def test_removing_keeps_the_replica(access):
    made = access.connections.add("sales", ORG)
    made.database.write_text("replica")

    access.connections.remove("sales")

    assert made.database.read_text() == "replica"
    with pytest.raises(ConnectionNotFound):
        access.connections.get("sales")
    with pytest.raises(Misuse):
        access.connections.remove("default")
