"""What an activity moves in the record that it belongs to: no stamp tells of it."""


def test_the_date_of_the_last_activity_is_read_again(user, simorg):
    user.settle(simorg.url, objects="Lead", more="  refresh_hours: 0\n")
    user("sync")
    simorg.clock.advance(86_400)  # so that no row is read again for its age
    simorg.add("Lead", LastName="Roe", Company="Acme")
    user("sync")
    simorg.database.write('UPDATE "Lead" SET "LastActivityDate" = ?', ("2026-01-31",))

    ran = user("verify")

    assert ran.code == 0
    rows = user("query", "--json", "SELECT DISTINCT LastActivityDate FROM Lead").json["rows"]
    assert rows == [{"LastActivityDate": "2026-01-31"}]


def test_what_activities_move_in_an_opportunity_is_read_again(user, simorg):
    user.settle(simorg.url, objects="Opportunity", more="  refresh_hours: 0\n")
    user("sync")
    simorg.clock.advance(86_400)  # so that no row is read again for its age
    simorg.add("Opportunity", Name="Roe", StageName="Prospecting", CloseDate="2026-12-01")
    user("sync")
    simorg.database.write('UPDATE "Opportunity" SET "HasOpenActivity" = 1, "HasOverdueTask" = 1')

    ran = user("verify")

    assert ran.code == 0
    rows = user("query", "--json", "SELECT DISTINCT HasOpenActivity, HasOverdueTask FROM Opportunity").json["rows"]
    assert rows == [{"HasOpenActivity": 1, "HasOverdueTask": 1}]
