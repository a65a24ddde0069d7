"""`sync.batch_size`: how many records Salesforce saves together, as its triggers and flows see them."""

import pytest

from salesforce_sync import Config, SFSync
from salesforce_sync.models.run import RunState
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.org import SimOrg


@pytest.mark.parametrize(("batch_size", "calls"), [(200, 2), (2000, 2), (20, 2), (10, 3), (5, 3)])
def test_a_push_saves_no_more_records_together_than_the_settings_say(tmp_path, batch_size, calls):
    with SimOrg(records=0, seed=1) as org, org.serve() as server:
        ids = [org.add("Contact", LastName=f"Roe {number}") for number in range(60)]
        org.clock.advance(3600)
        config = Config.load(
            environ={},
            instance_url=server.url,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            storage_path=str(tmp_path / "here.db"),
            sync_objects="Contact",
            sync_batch_size=batch_size,
        )
        with SFSync(config) as sync:
            sync.sync()
            for each in ids:
                sync.contacts.update(each, title="Clerk")
            expected, before = sync.diff().calls, sync.usage.spent

            assert sync.push().state is RunState.COMPLETE

            # One look, then three collections a call; where single requests take no more calls, they go (three calls).
            assert (expected, sync.usage.spent - before) == (calls, calls)
        assert all(org.row(each)["Title"] == "Clerk" for each in ids)
