"""A verify that finds too much gone, and asks: what was proved before it does not stand any more."""

import pytest

REFUSED = "22 of 40 rows of Contact are gone in the org, or no longer visible."


@pytest.fixture
def hidden(user, simorg):
    """Rows of a proved object that the user does not see any more, so that no stamp moves."""
    user("sync", "Contact")
    user("verify", "Contact")
    ids = [record_id for (record_id,) in simorg.database.rows('SELECT "Id" FROM "Contact"')][:22]
    for record_id in ids:
        simorg.hide_record(record_id)
    simorg.clock.advance(7200)
    assert user("verify", "Contact").code == 1
    return ids


def test_no_sync_is_complete_while_rows_that_a_verify_missed_wait_for_a_yes(user, hidden):
    ran = user("sync", "Contact")

    assert ran.code == 1
    assert REFUSED in ran.err


def test_status_says_beside_the_old_proof_that_rows_were_found_gone_since(user, hidden):
    (line,) = (each for each in user("status").out.splitlines() if "proved" in each)
    (shown,) = user("status", "--json").json["objects"]

    assert line.startswith("Contact 40 = 40, proved ")
    assert line.endswith(f"; refused since: {REFUSED}")
    assert shown["loss_refused"] == REFUSED


def test_a_yes_to_a_sync_takes_the_rows_out_and_proves_the_object(user, hidden):
    assert user("sync", "Contact", "--accept-loss", "Contact").code == 0

    (shown,) = user("status", "--json").json["objects"]
    assert (shown["rows"], shown["proof"]["rows"], shown["loss_refused"]) == (18, 18, None)


def test_rows_that_are_shown_again_need_no_yes(user, simorg, hidden):
    for record_id in hidden:
        simorg.show_record(record_id)

    assert user("sync", "Contact").code == 0

    (shown,) = user("status", "--json").json["objects"]
    assert (shown["proof"]["rows"], shown["loss_refused"]) == (40, None)


def test_a_sync_is_partial_where_the_calls_are_too_few_to_look_for_them(user, simorg, hidden):
    simorg.usage.reset(used=simorg.usage.limit * 85 // 100)  # proofs stop at 80 %

    ran = user("sync", "Contact")

    assert ran.code == 5
    assert "API_BUDGET_SPENT: Contact: " in ran.err
    assert REFUSED in user("status").out
