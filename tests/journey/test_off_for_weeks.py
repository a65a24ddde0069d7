"""A machine that was off for weeks: the org's log of deletions does not go back so far."""


def test_what_has_gone_is_not_called_hidden_where_the_machines_clock_stood_still(user, simorg):
    """A Raspberry Pi has no clock of its own: until it has asked for the time, it goes on where it was switched off."""
    user("sync", "Contact")
    gone = [record_id for (record_id,) in simorg.database.rows('SELECT "Id" FROM "Contact" LIMIT 3')]
    simorg.delete(gone)
    simorg.purge(gone)
    simorg.clock.advance(40 * 86_400)

    ran = user("verify", "Contact")

    assert "3 inexplicably gone rows repaired" in ran.out
    rows = user("query", "--json", "SELECT DISTINCT reason FROM _sync_gone").json["rows"]
    assert rows == [{"reason": "unknown"}]
