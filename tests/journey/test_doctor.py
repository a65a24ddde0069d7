"""`doctor`: one line for each thing that may stand in the way, and what to do about it."""

from datetime import timedelta

import pytest

from salesforce_sync import SFSync
from salesforce_sync.config import Config
from salesforce_sync.doctor import Level, examine
from simorg.clients import CLIENT_ID, CLIENT_SECRET

NOT_THERE = [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
ACCESS = {
    "label": "User Permission Access",
    "plural": "User Permission Access",
    "prefix": "0PY",
    "fields": {"PermissionsViewAllData": "boolean", "PermissionsModifyAllData": "boolean", "Name": "string 80 name"},
}


def settings(simorg, folder, *objects):
    return Config.load(
        environ={},
        instance_url=simorg.url,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        storage_path=folder / "data" / "salesforce.db",
        sync_objects=", ".join(objects),
    )


@pytest.fixture
def sync(simorg, tmp_path):
    config = settings(simorg, tmp_path, "Lead", "Contact")
    with SFSync(config) as opened:
        yield opened


def found(sync):
    return {each.check: each for each in examine(sync)}


def test_a_healthy_installation_is_ok_and_costs_few_calls(sync, simorg, organization):
    organization(Name="Acme", IsSandbox=True, OrganizationType="Enterprise Edition")
    simorg.add_object("UserPermissionAccess", ACCESS)
    simorg.add("UserPermissionAccess", Name="me", PermissionsViewAllData=True, PermissionsModifyAllData=True)

    checks = found(sync)

    assert {each.level for each in checks.values()} == {Level.OK}
    assert "Acme: Enterprise Edition, simulated" in checks["org"].found
    assert checks["API calls"].found.startswith(f"{simorg.usage.used:,} of 15,000")
    assert simorg.usage.used <= 5


def test_what_the_user_may_not_do_is_named(sync, simorg):
    simorg.permissions.deny("Lead", "create", "delete")
    simorg.permissions.deny("Contact", "read")

    checks = found(sync)

    assert checks["Lead"].level is Level.WARN
    assert "may not create or delete" in checks["Lead"].found
    assert checks["Contact"].level is Level.FAIL
    assert "Read permission" in checks["Contact"].todo
    assert checks["rights"].level is Level.WARN  # simorg does not tell


def test_an_object_behind_five_that_are_not_there_is_looked_for_too(simorg, tmp_path):
    missing = [f"Gone{number}__c" for number in range(5)]
    config = settings(simorg, tmp_path, *missing, "Contact", "Lead")
    with SFSync(config) as sync:
        checks = found(sync)

    assert [checks[name].level for name in ("Contact", "Lead")] == [Level.OK, Level.OK]
    assert {checks[name].level for name in missing} == {Level.FAIL}


def test_objects_of_an_org_that_takes_no_composite_calls_are_not_called_missing(sync, simorg):
    simorg.faults.add(path="/composite$", status=404, body=NOT_THERE, times=None)
    simorg.faults.add(method="GET", path="/jobs/query$", status=404, body=NOT_THERE, times=None)

    checks = found(sync)

    assert [checks[name].level for name in ("Contact", "Lead")] == [Level.OK, Level.OK]
    assert (checks["Bulk API"].level, "does not tell" in checks["Bulk API"].found) == (Level.WARN, True)


def test_an_object_that_is_not_described_says_why_and_the_others_are_told(sync, simorg):
    simorg.faults.add(path="/composite$", status=404, body=NOT_THERE, times=None)
    why = [{"errorCode": "UNKNOWN_EXCEPTION", "message": "An unexpected error occurred."}]
    simorg.faults.add(path="/sobjects/Lead/describe", status=400, body=why, times=None)

    checks = found(sync)

    assert (checks["Lead"].level, "An unexpected error" in checks["Lead"].found) == (Level.FAIL, True)
    assert checks["Contact"].level is Level.OK


@pytest.mark.parametrize(("seconds", "level"), [(90, Level.WARN), (3600, Level.FAIL)])
def test_a_clock_that_is_wrong(sync, simorg, seconds, level):
    simorg.clock.advance(timedelta(seconds=seconds).total_seconds())

    assert found(sync)["clock"].level is level


def test_what_no_call_is_left_for_is_not_called_missing(sync, simorg):
    simorg.usage.reset(used=14_990)

    checks = found(sync)

    assert checks["API calls"].level is Level.WARN
    assert "not asked" in checks["rights"].found
    assert [name for name, each in checks.items() if each.level is Level.FAIL] == []


def test_the_days_calls_of_everybody(sync, simorg):
    simorg.usage.reset(used=13_000)

    checks = found(sync)

    assert checks["API calls"].level is Level.WARN
    assert checks["API calls"].found.startswith("13,0")


def test_files_that_others_can_read(sync):
    path = sync.config.storage.path
    path.chmod(0o644)

    assert f"chmod 600 {path}" in found(sync)["file modes"].todo


def test_without_a_login_the_rest_is_still_told_and_the_exit_code_says_so(cli):
    done = cli("doctor", "--json")
    shown = cli("doctor")

    assert (done.code, done.json["level"]) == (1, "fail")
    told = {each["check"]: each for each in done.json["checks"]}
    assert told["SQLite"]["level"] == "ok"
    assert (told["connection"]["level"], "connect" in told["connection"]["todo"]) == ("fail", True)
    assert shown.code == 1
    assert shown.out.splitlines()[0].startswith("ok    SQLite: 3.")
    assert "fail  connection" in shown.out


def test_a_broken_audit_log_is_told(user):
    import apsw

    user("init")
    db = apsw.Connection(str(user.folder / "data/access.db"))
    db.execute("DROP TRIGGER audit_is_not_changed")
    db.execute("UPDATE audit SET who = 'os:eve' WHERE number = 1")
    db.close()

    done = user("doctor", "--json")

    assert done.code == 1
    broken = [each for each in done.json["checks"] if each["check"] == "audit log"]
    assert "broken at entry 1" in broken[0]["found"]
