"""Settings: where each comes from, which one holds, and what a wrong one says."""

import re
from pathlib import Path

import pytest

from salesforce_sync.config import Config
from salesforce_sync.errors import ConfigError
from salesforce_sync.models.connection import Connection, LoginMethod
from salesforce_sync.settings import SETTINGS
from salesforce_sync.sink_settings import SinkSettings

ROOT = Path(__file__).parents[2]

CLIENT = {"client_id": "app", "client_secret": "s3cr3t"}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(path=None, **arguments):
    return Config.load(path, environ={}, **arguments)


def config_file(text: str) -> Path:
    file = Path("config.yaml")
    file.write_text(text, encoding="utf-8")
    return file


def test_without_any_file_the_promised_defaults_hold(tmp_path):
    config = load()

    assert config.file is None
    assert config.salesforce.instance_url is None
    assert config.salesforce.api_version == "58.0"
    assert (config.sync.interval_minutes, config.sync.batch_size) == (15, 200)
    assert config.sync.objects == ("Contact", "Lead", "Account", "Opportunity")
    assert (config.storage.type, config.storage.path) == ("sqlite", tmp_path / "data/salesforce.db")
    assert (config.signals.enabled, config.signals.target) == (True, "OS")


def test_the_file_that_comes_with_the_project_is_read_and_has_every_promised_key():
    config = load(ROOT / "config.yaml")

    assert config.salesforce.instance_url == "https://yourinstance.salesforce.com"
    assert config.storage.path == ROOT / "data/salesforce.db"
    assert load().sync == config.sync
    assert load().signals == config.signals


def test_each_layer_lies_over_the_one_before():
    config_file(
        "sync: {interval_minutes: 1, batch_size: 1}\nsignals: {target: file}\nsalesforce: {api_version: '50.0'}"
    )
    Path(".env").write_text("SF_SYNC_BATCH_SIZE=2\nSF_SIGNALS_TARGET=dotenv\nSF_API_VERSION=51.0\n")

    config = Config.load(environ={"SF_SIGNALS_TARGET": "environment", "SF_API_VERSION": "52.0"}, api_version="53.0")

    assert config.sync.interval_minutes == 1
    assert config.sync.batch_size == 2
    assert config.signals.target == "environment"
    assert config.salesforce.api_version == "53.0"


def test_the_process_environment_is_read(monkeypatch):
    monkeypatch.setenv("SF_SYNC_OBJECTS", "Product2, Widget__c")

    assert Config.load().sync.objects == ("Product2", "Widget__c")


def test_every_setting_has_an_environment_name_that_works():
    values = {
        "SF_INSTANCE_URL": "https://a.example",
        "SF_API_VERSION": "60.0",
        "SF_PRODUCTION_WRITES": "true",
        "SF_EVENTS_URL": "https://events.example:7443",
        "SF_SYNC_EVENTS": "Contact,Lead",
        "SF_SYNC_INTERVAL_MINUTES": "7",
        "SF_SYNC_INTERVALS": "Account=9",
        "SF_SYNC_BATCH_SIZE": "8",
        "SF_SYNC_OBJECTS": "A,B",
        "SF_SYNC_OVERLAP_MINUTES": "11",
        "SF_SYNC_VERIFY_HOURS": "12",
        "SF_SYNC_REFRESH_HOURS": "0",
        "SF_SYNC_REFRESH_FIELDS": "Account.Score__c,A.B",
        "SF_SYNC_MAX_LOSS_PERCENT": "13",
        "SF_SYNC_API_CALLS_PER_DAY": "14",
        "SF_SYNC_CONFLICTS": "newest",
        "SF_SYNC_HISTORY_DAYS": "15",
        "SF_SYNC_HISTORY_ROWS": "16",
        "SF_STORAGE_TYPE": "sqlite",
        "SF_STORAGE_PATH": "/x/y.db",
        "SF_WORKBOOK_PATH": "/x/book.xlsx",
        "SF_WORKBOOK_MAX_MB": "17",
        "SF_WORKBOOK_MAX_EXPANDED_MB": "18",
        "SF_WORKBOOK_MAX_RATIO": "19",
        "SF_SIGNALS_ENABLED": "false",
        "SF_SIGNALS_SOURCE": "HUB",
        "SF_SIGNALS_TARGET": "EDGE",
        "SF_SIGNALS_SINKS": '[{"type": "log"}]',
        "SF_SIGNALS_KEEP_DAYS": "17",
        "SF_SIGNALS_KEEP_ROWS": "1800",
        "SF_CLIENT_ID": "id",
        "SF_CLIENT_SECRET": "cs",
        "SF_ACCESS_TOKEN": "at",
        "SF_REFRESH_TOKEN": "rt",
        "SF_USERNAME": "u@example.com",
        "SF_JWT_KEY_FILE": "/x/key.pem",
        "SF_LOGIN_URL": "https://login.example",
        "SF_SYNC_KEY": "key",
        "SF_WEBHOOK_SECRETS": "whsec_1",
        "SF_MQTT_PASSWORD": "pass",
        "SF_WORKBOOK_PASSWORD": "pw",
    }
    config = Config.load(environ=values)

    assert set(values) == {each.env for each in SETTINGS}
    assert config.sync.intervals == {"account": 9}
    assert config.signals.sinks == (SinkSettings("log", "log"),)
    for setting in (each for each in SETTINGS if each.key not in ("intervals", "sinks")):
        got = getattr(getattr(config, setting.section), setting.key)
        got = tuple(got.values()) if isinstance(got, dict) else got
        got = str(got).lower() if isinstance(got, bool) else got
        shown = ",".join(got) if isinstance(got, tuple) else str(got)
        assert shown == values[setting.env], setting


@pytest.mark.parametrize(
    ("written", "meant"),
    [("true", True), ("yes", True), ("false", False), ("no", False), ("[Contact]", ("Contact",))],
)
def test_change_events_are_followed_of_all_objects_or_of_some(tmp_path, written, meant):
    file = tmp_path / "config.yaml"
    file.write_text(f"sync:\n  events: {written}\n")

    assert load(file).sync.events == meant


def test_a_relative_path_starts_where_it_was_written(tmp_path):
    (tmp_path / "conf").mkdir()
    file = tmp_path / "conf" / "config.yaml"
    file.write_text("storage: {path: ./from_file.db}")
    in_file = load(file).storage.path
    in_argument = load(file, storage_path="here.db").storage.path
    (tmp_path / "conf" / ".env").write_text("SF_STORAGE_PATH=beside.db\n")
    in_dotenv = load(file).storage.path

    assert in_file == tmp_path / "conf" / "from_file.db"
    assert in_argument == tmp_path / "here.db"
    assert in_dotenv == tmp_path / "conf" / "beside.db"


def test_without_a_path_the_database_is_beside_the_config_file(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "c.yaml").write_text("")

    assert load("conf/c.yaml").storage.path == tmp_path / "conf/data/salesforce.db"
    assert load("conf/c.yaml").workbook.path == tmp_path / "conf/Revenue_Cloud_Data.xlsx"


def test_the_dotenv_file_beside_the_config_file_hides_the_one_in_this_folder(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "c.yaml").write_text("")
    Path(".env").write_text("SF_CLIENT_ID=here\nSF_CLIENT_SECRET=here\n")
    only_here = load("conf/c.yaml").credentials
    (tmp_path / "conf" / ".env").write_text("SF_CLIENT_ID=beside\n")
    both = load("conf/c.yaml").credentials

    assert only_here.client_id == "here"
    assert (both.client_id, both.client_secret) == ("beside", None)


def test_an_empty_name_is_as_if_it_were_not_there():
    config_file("salesforce: {instance_url: https://a.example}")
    Path(".env").write_text("SF_INSTANCE_URL=\nSF_CLIENT_ID=\nSF_CLIENT_SECRET=\n")

    config = Config.load(environ={"SF_ACCESS_TOKEN": ""})

    assert config.salesforce.instance_url == "https://a.example"
    assert config.connection() is None


def test_a_dollar_in_a_secret_stays_a_dollar():
    Path(".env").write_text("SF_CLIENT_SECRET=a${HOME}b$c\n")

    assert load().credentials.client_secret == "a${HOME}b$c"


def test_an_empty_group_and_an_empty_file_mean_the_defaults():
    config_file("sync:\nsalesforce:\n  instance_url:\n")
    with_groups = load()
    config_file("# nothing\n")

    assert with_groups == load()
    assert with_groups.sync.batch_size == 200


@pytest.mark.parametrize(
    ("written", "read"),
    [("58.0", "58.0"), ("58", "58.0"), ('"58.0"', "58.0"), ("v60.0", "60.0"), ("100.0", "100.0")],
)
def test_a_version_may_be_written_as_a_number(written, read):
    config_file(f"salesforce: {{api_version: {written}}}")

    assert load().salesforce.api_version == read


def test_an_object_that_is_named_twice_counts_once():
    assert load(sync_objects=["Lead", "lead", "Account", "LEAD"]).sync.objects == ("Lead", "Account")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("newest", {"default": "newest"}),
        ("ORG", {"default": "org"}),
        ("{Contact: org, contact.phone: Newest}", {"contact": "org", "contact.phone": "newest"}),
        (
            "ask, Contact=org, Widget__c.Size__c = local",
            {"default": "ask", "contact": "org", "widget__c.size__c": "local"},
        ),
    ],
)
def test_policies_for_conflicts_are_one_for_all_or_by_name(written, read):
    quoted = f"'{written}'" if "=" in written else written
    config_file(f"sync: {{conflicts: {quoted}}}")

    assert load().sync.conflicts == read


def test_policies_and_history_may_come_from_the_environment():
    config = Config.load(environ={"SF_SYNC_CONFLICTS": "Contact=org", "SF_SYNC_HISTORY_DAYS": "7"})

    assert config.sync.conflicts == {"contact": "org"}
    assert (config.sync.history_days, config.sync.history_rows) == (7, 50_000)


@pytest.mark.parametrize(
    "url",
    [
        "https://acme.my.salesforce.com",
        "https://sync.example:8443/",
        "http://localhost:8000",
        "http://127.0.0.1:8000",
        "http://127.8.9.1",
        "http://[::1]:8000",
    ],
)
def test_any_https_host_is_taken_and_plain_http_to_this_machine(url):
    assert load(instance_url=url).salesforce.instance_url == url.rstrip("/")


@pytest.mark.parametrize(
    ("copied", "api"),
    [
        ("https://acme.lightning.force.com/lightning/page/home", "https://acme.my.salesforce.com"),
        ("https://acme.lightning.force.com", "https://acme.my.salesforce.com"),
        ("https://acme--dev.sandbox.lightning.force.com/?x=1", "https://acme--dev.sandbox.my.salesforce.com"),
        ("https://acme.my.salesforce-setup.com/lightning/setup/SetupOneHome/home", "https://acme.my.salesforce.com"),
    ],
)
def test_the_address_of_the_orgs_pages_is_taken_as_that_of_its_api(copied, api):
    assert load(instance_url=copied).salesforce.instance_url == api


@pytest.mark.parametrize(
    "url",
    [
        "http://acme.my.salesforce.com",
        "http://localhost.example",
        "http://127.0.0.1.example",
        "http://10.0.0.1",
        "acme.my.salesforce.com",
        "ftp://acme.example",
        "https://",
        "https://acme.example/services",
        "https://acme.example?x=1",
        "https://acme.example:port",
        "https://acme example",
        "https://acme\0.example",
        "https://acme.exa\nmple",
        "https://[",
        "https://acme.example:99999",
        "https://me:pw@acme.lightning.force.com/",
        "http://acme.lightning.force.com/",
        "https://evil.example/.lightning.force.com/",
    ],
)
def test_any_other_address_is_refused(url):
    with pytest.raises(ConfigError, match="instance_url must be an https address") as error:
        load(instance_url=url)

    assert error.value.code == "CONFIG_ERROR"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sync: {batchsize: 5}", r"config.yaml: there is no setting sync.batchsize. Did you mean sync.batch_size?"),
        ("snyc: {batch_size: 5}", r"config.yaml: there is no setting snyc. Did you mean sync?"),
        ("sync: {batch_size: many}", "config.yaml: sync.batch_size must be a whole number from 1 to 2000, not 'many'."),
        ("sync: {batch_size: 0}", "config.yaml: sync.batch_size must be a whole number from 1 to 2000, not 0."),
        ("sync: {interval_minutes: yes}", "config.yaml: sync.interval_minutes must be a whole number of minutes"),
        ("sync: {interval_minutes: 1.5}", "config.yaml: sync.interval_minutes must be a whole number of minutes"),
        ("sync: {objects: []}", "config.yaml: sync.objects must be a list of at least one object's API name"),
        ("sync: {objects: ','}", "config.yaml: sync.objects must be a list of at least one object's API name"),
        ("sync: {objects: ['DROP TABLE']}", "config.yaml: sync.objects must be a list"),
        ("sync: {objects: 5}", "config.yaml: sync.objects must be a list"),
        ("sync: {objects: [Contact, null]}", "config.yaml: sync.objects must be a list"),
        ("sync: {objects: [no]}", "config.yaml: sync.objects must be a list"),
        ("storage: {path: ''}", "config.yaml: storage.path must be the path of a file, not ''."),
        ("storage: {path: .}", "config.yaml: storage.path must be the path of a file, not '.'."),
        ('storage: {path: "a\\0b"}', r"config.yaml: storage.path must be the path of a file, not 'a\x00b'."),
        ("sync: {batch_size: 5}\nsync: {history_days: 5}", "config.yaml, line 2: sync is there a second time."),
        ("? [a, b]\n: 1", "config.yaml, line 1: this is not YAML: found unhashable key."),
        ("sync:\n  batch_size: 5\n  batch_size: 6", "config.yaml, line 3: batch_size is there a second time."),
        ("sync: 5", "config.yaml: sync must be a group of settings"),
        (
            "salesforce: {api_version: 44.0}",
            'config.yaml: salesforce.api_version must be an API version from "47.0" on',
        ),
        ("salesforce: {api_version: [1]}", "config.yaml: salesforce.api_version must be"),
        ("sync: {conflicts: mine}", "config.yaml: sync.conflicts must be ask, org, local or newest, or these by name"),
        (
            "sync: {conflicts: {Contact: mine, Lead: org}}",
            "config.yaml: sync.conflicts: the policy of Contact must be one of ask, org, local, newest, not 'mine'.",
        ),
        ("sync: {conflicts: {Con tact: org}}", "config.yaml: sync.conflicts must be ask, org, local or newest"),
        ("sync: {conflicts: []}", "config.yaml: sync.conflicts must be ask, org, local or newest"),
        ("sync: {history_days: -1}", "config.yaml: sync.history_days must be a whole number of days from 0"),
        ("sync: {history_rows: all}", "config.yaml: sync.history_rows must be a whole number from 0"),
        ("storage: {type: postgres}", "config.yaml: storage.type must be sqlite, not 'postgres'."),
        ("signals: {enabled: perhaps}", "config.yaml: signals.enabled must be true or false, not 'perhaps'."),
        ("signals: {target: 'two words'}", "config.yaml: signals.target must be one word"),
        (
            "salesforce: {client_secret: x}",
            "config.yaml: there is no setting salesforce.client_secret. Credentials bel",
        ),
        ("credentials: {client_id: x}", "config.yaml: there is no setting credentials. Credentials belong in .env"),
        ("sync: [unclosed", "config.yaml, line 1: this is not YAML"),
        ("- a\n- b", "config.yaml must be groups of settings"),
        ("sync: {batch_size: !!python/object:os.system x}", "config.yaml, line 1: this is not YAML"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(text, message):
    config_file(text)

    with pytest.raises(ConfigError) as error:
        load()

    assert message in str(error.value)


def test_a_wrong_value_names_the_layer_that_it_came_from():
    config_file("sync: {batch_size: 5}")
    Path(".env").write_text("SF_SYNC_BATCH_SIZE=none\n")
    with pytest.raises(ConfigError) as in_dotenv:
        load()
    with pytest.raises(ConfigError) as in_environment:
        Config.load(environ={"SF_SYNC_BATCH_SIZE": "some"})

    assert "SF_SYNC_BATCH_SIZE in .env must be a whole number" in str(in_dotenv.value)
    assert "SF_SYNC_BATCH_SIZE in the environment must be a whole number" in str(in_environment.value)


def test_a_config_file_that_was_asked_for_has_to_be_there():
    with pytest.raises(ConfigError, match=r"There is no config file conf/none\.yaml"):
        load("conf/none.yaml")


def test_a_file_that_is_not_text_is_an_error_and_no_traceback():
    Path("config.yaml").write_bytes(b"\xff\xfe\x00sync")

    with pytest.raises(ConfigError, match=r"config\.yaml cannot be read"):
        load()


def test_a_slip_in_a_dotenv_name_is_told_and_other_programs_names_are_not():
    Path(".env").write_text("SF_ORG_INSTANCE_URL=x\nDEBUG=1\nSF_LOG_LEVEL=debug\n")
    untouched = load()
    Path(".env").write_text("SF_CLIENT_SECRT=x\n")

    assert untouched.salesforce.instance_url is None
    with pytest.raises(ConfigError, match=r"\.env: there is no setting SF_CLIENT_SECRT\. Did you mean SF_CLIENT_SECRE"):
        load()


@pytest.mark.parametrize("line", ["SF_CLIENT_SECRET: abc", 'export SF_CLIENT_SECRET="abc', "  SF_CLIENT_SECRET='abc"])
def test_a_dotenv_line_of_ours_that_cannot_be_read_is_refused_unseen(line, caplog):
    Path(".env").write_text(f"OTHER: x\n\n{line}\n")

    with pytest.raises(ConfigError) as refused:
        load()

    assert ".env, line 3: SF_CLIENT_SECRET stands there, and no value can be read." in str(refused.value)
    assert "abc" not in str(refused.value)


def test_a_dotenv_line_of_another_program_that_cannot_be_read_is_let_be(caplog):
    Path(".env").write_text("OTHER: x\nSF_SYNC_BATCH_SIZE=7\n")

    assert load().sync.batch_size == 7
    assert not caplog.records


def test_an_argument_nobody_knows_is_told():
    with pytest.raises(ConfigError, match=r"There is no setting batch_sizes\. Did you mean sync_batch_size"):
        load(batch_sizes=1)


def test_a_secret_is_in_no_text_of_a_config():
    config = load(**CLIENT, access_token="t0ken", refresh_token="r3fresh", sync_key="k3y")

    assert not [secret for secret in ("s3cr3t", "t0ken", "r3fresh", "k3y") if secret in f"{config} {config!r}"]


def test_a_secret_is_in_no_message():
    with pytest.raises(ConfigError) as in_address:
        load(instance_url="https://user:p4ssword@acme.example")
    with pytest.raises(ConfigError) as in_credential:
        load(client_secret=["s3cr3t"])

    assert "p4ssword" not in str(in_address.value)
    assert "s3cr3t" not in str(in_credential.value)


# ── Which login ──────────────────────────────────────────────────────────────────────────────────────────────────


ORG = "https://acme.my.salesforce.com"


def login(**credentials):
    return load(instance_url=ORG, **credentials).connection()


def test_without_credentials_there_is_no_connection():
    assert load().connection() is None
    assert login(login_url="https://login.example") is None


def test_client_id_and_secret_are_client_credentials():
    assert login(**CLIENT, login_url="https://l.example") == Connection(
        LoginMethod.CLIENT_CREDENTIALS, ORG, login_url="https://l.example", client_id="app", client_secret="s3cr3t"
    )


def test_a_pasted_session_comes_before_everything_else():
    assert login(**CLIENT, refresh_token="r", access_token="t") == Connection(
        LoginMethod.PASTED_SESSION, ORG, access_token="t"
    )


def test_a_refresh_token_may_come_with_a_secret():
    assert login(**CLIENT, refresh_token="r") == Connection(
        LoginMethod.REFRESH_TOKEN, ORG, client_id="app", client_secret="s3cr3t", refresh_token="r"
    )
    assert login(client_id="app", refresh_token="r") == Connection(
        LoginMethod.REFRESH_TOKEN, ORG, client_id="app", refresh_token="r"
    )


def test_jwt_takes_the_app_the_user_and_a_key_file_that_is_there(tmp_path):
    jwt = {"client_id": "app", "username": "u@example.com", "jwt_key_file": "key.pem"}
    with pytest.raises(ConfigError, match="SF_JWT_KEY_FILE: there is no file"):
        login(**jwt)
    Path("key.pem").write_text("key")

    assert login(**jwt) == Connection(
        LoginMethod.JWT_BEARER, ORG, client_id="app", username="u@example.com", jwt_key_file=str(tmp_path / "key.pem")
    )


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        (["client_id"], "SF_CLIENT_SECRET, or SF_REFRESH_TOKEN, or SF_JWT_KEY_FILE and SF_USERNAME"),
        (["client_secret"], "SF_CLIENT_ID"),
        (["refresh_token"], "SF_CLIENT_ID"),
        (["username"], "SF_CLIENT_ID and SF_JWT_KEY_FILE"),
        (["client_id", "username"], "SF_JWT_KEY_FILE"),
        (["client_secret", "username", "jwt_key_file"], "SF_CLIENT_ID"),
    ],
)
def test_half_of_a_login_names_the_other_half(given, hint):
    with pytest.raises(ConfigError) as error:
        login(**dict.fromkeys(given, "x"))

    assert error.value.hint == f"Add {hint} to .env or the environment."
    assert all(f"SF_{name.upper()}" in error.value.message for name in given)


def test_a_way_to_log_in_that_was_asked_for_is_not_passed_over():
    everything = load(instance_url=ORG, **CLIENT, access_token="t")

    assert everything.connection_by(LoginMethod.CLIENT_CREDENTIALS) == login(**CLIENT)
    with pytest.raises(ConfigError) as half:
        everything.connection_by(LoginMethod.REFRESH_TOKEN)
    with pytest.raises(ConfigError, match="there are none"):
        load(instance_url=ORG).connection_by(LoginMethod.PASTED_SESSION)
    assert half.value.hint == "Add SF_REFRESH_TOKEN to .env or the environment."


@pytest.mark.parametrize("url", [None, "https://yourinstance.salesforce.com"])
def test_credentials_need_an_org_that_is_not_the_examples(url):
    with pytest.raises(ConfigError, match=r"salesforce\.instance_url is (not set|still the example's)"):
        load(instance_url=url, **CLIENT).connection()


@pytest.mark.parametrize("name", ["access_token", "client_secret", "refresh_token", "client_id"])
@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("00D!LEAK\nLEAKtail", "a line break at position 9 of 17"),
        ("\u201c00D!LEAK\u201d", r"U\+201C at position 1 of 10"),
        ("00D!LEAK\x1b[31m", r"U\+001B"),
        ("00D!LEAK\x00", r"U\+0000"),
        ("00D!LEAK\udcff", r"U\+DCFF"),
    ],
)
def test_a_credential_with_a_character_that_cannot_be_its_own_is_refused_unseen(name, value, what):
    with pytest.raises(ConfigError, match=what) as refused:
        load(**{name: value})

    assert "LEAK" not in str(refused.value)
    assert name in str(refused.value)


def test_a_wrapped_token_in_the_env_file_is_named_with_its_file():
    Path(".env").write_text('SF_ACCESS_TOKEN="00D!LEAK\nLEAKtail"\n')

    with pytest.raises(ConfigError, match=r"SF_ACCESS_TOKEN in \.env") as refused:
        load()

    assert "LEAK" not in str(refused.value)


def test_a_user_name_may_have_any_letters():
    assert load(username="zoë@example.org").credentials.username == "zoë@example.org"


# ── the daemon's intervals, and sinks ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "object_name", "minutes"),
    [
        ("", "Contact", 15),
        ("", "Account", 60),
        ("interval_minutes: 5", "Contact", 5),
        ("interval_minutes: 5", "Account", 60),
        ("interval_minutes: 120", "Account", 120),
        ("intervals: {account: 5}", "Account", 5),
        ("intervals: {Widget__c: 1440}", "widget__C", 1440),
    ],
)
def test_an_object_has_its_own_interval_or_the_one_of_all(tmp_path, written, object_name, minutes):
    file = tmp_path / "config.yaml"
    file.write_text(f"sync:\n  {written}\n" if written else "")

    assert load(file).sync.minutes(object_name) == minutes


@pytest.mark.parametrize(
    ("sinks", "told"),
    [
        ("[{type: pigeon}]", "a sink of type 'pigeon'; there are log, jsonl, webhook, mqtt"),
        ("[{type: log}, {type: log}]", "two sinks named 'log'"),
        ("[{type: webhook}]", "a webhook without a url"),
        ("[{type: webhook, url: 'https://user:pass@a.example/'}]", "a webhook whose url is no https address"),
        ("[{type: webhook, url: 'http://a.example/'}]", "over plain http"),
        ("[{type: webhook, url: 'https://bücher.example/'}]", "a webhook whose url is not in ASCII"),
        ("[{type: webhook, url: 'https://a.example/a b'}]", "a webhook whose url is not in ASCII"),
        ("[{type: webhook, url: 'ftp://a.example/'}]", "a webhook whose url is no https address"),
        ("[{type: webhook, url: 'https://a.example/', secret: x}]", "Secrets belong in .env: SF_WEBHOOK_SECRETS"),
        ("[{type: webhook, url: 'https://a.example/', timeout_seconds: 0}]", "whole number of seconds from 1 to 60"),
        ("[{type: mqtt, topic: 'a/#'}]", "a topic without # and +"),
        ("[{type: jsonl, name: ../x}]", "whose name must be letters"),
        ("{type: log}", "must be a list of sinks"),
        ("[log]", "must be a list of sinks"),
    ],
)
def test_a_wrong_sink_is_refused_in_words_and_without_its_secrets(tmp_path, sinks, told):
    file = tmp_path / "config.yaml"
    file.write_text(f"signals:\n  sinks: {sinks}\n")

    with pytest.raises(ConfigError, match=re.escape(told)) as refused:
        load(file)

    assert "pass" not in str(refused.value).replace("password in it", "")


def test_the_file_of_a_sink_starts_where_it_was_written(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("signals:\n  sinks: [{type: jsonl}, {type: jsonl, name: b, path: x/y.jsonl}]\n")

    assert [each.path for each in load(file).signals.sinks] == [
        tmp_path / "data/signals.jsonl",
        tmp_path / "x/y.jsonl",
    ]
