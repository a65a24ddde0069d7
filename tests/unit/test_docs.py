"""The documentation names what there is: each setting, command and exit code."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from salesforce_sync.cli import commands
from salesforce_sync.config import Config
from salesforce_sync.process.exits import MEANINGS
from salesforce_sync.settings import SETTINGS

ROOT = Path(__file__).parents[2]


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda each: each.env)
def test_each_setting_is_in_the_docs(setting):
    if setting.section != "credentials":
        assert f"| `{setting.name}` | `{setting.env}` |" in text("docs/config.md")
    assert f"`{setting.env}" in text("docs/config.md")


def test_the_example_of_the_environment_names_every_credential():
    names = set(re.findall(r"^#?(SF_\w+)=", text(".env.example"), re.MULTILINE))

    assert names == {each.env for each in SETTINGS if each.section == "credentials"} | {"SF_INSTANCE_URL"}


PROMISED_KEYS = {
    *("salesforce.instance_url", "salesforce.api_version"),
    *("sync.interval_minutes", "sync.batch_size", "sync.objects"),
    *("storage.type", "storage.path", "signals.enabled", "signals.target"),
}


def test_the_config_file_has_exactly_the_promised_keys():
    sections = yaml.safe_load(text("config.yaml"))
    written = {f"{section}.{key}" for section, keys in sections.items() for key in keys}

    assert written == PROMISED_KEYS
    assert written < {each.name for each in SETTINGS}
    assert Config.load(ROOT / "config.yaml", environ={}).sync.objects == ("Contact", "Lead", "Account", "Opportunity")


@pytest.mark.parametrize("name", sorted(commands.commands))
def test_each_command_is_in_the_docs(name):
    assert re.search(rf"^\| `{name}\b", text("docs/cli.md"), re.MULTILINE)


@pytest.mark.parametrize("code", MEANINGS)
def test_each_exit_code_is_in_the_docs_as_in_the_help(code):
    documented = text("docs/cli.md").replace("`", "")

    assert f"| {code.value} | {MEANINGS[code]} |" in documented


def test_every_dependency_is_pinned_and_no_index_is_named():
    project = tomllib.loads(text("pyproject.toml"))["project"]
    pinned = dict(re.findall(r"^([\w.-]+)==([\w.]+)$", text("requirements.txt") + text("requirements-dev.txt"), re.M))
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = [re.split(r"[<>=\[ ]", each)[0].lower() for each in wanted]

    assert [name for name in names if name not in pinned] == []
    lines = (text("requirements.txt") + text("requirements-dev.txt")).splitlines()
    assert [line for line in lines if not re.fullmatch(r"#.*|-r requirements\.txt|[\w.-]+==[\w.]+", line)] == []
