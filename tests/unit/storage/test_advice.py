"""What a person is told to do about an item of the inbox."""

import pytest

from salesforce_sync.models.outbox import Kind
from salesforce_sync.storage.inbox_items import advice


@pytest.mark.parametrize("code", ["INVALID_FIELD", "FIELD_NOT_FOUND"], ids=["by a row", "by a Bulk job as a whole"])
def test_whoever_tells_that_a_field_is_gone_the_advice_is_the_same(code):
    assert "once the field is back" in advice(code, Kind.CONFLICT)
