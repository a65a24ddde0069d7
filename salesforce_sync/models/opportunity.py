"""The Opportunity model."""

from __future__ import annotations

from salesforce_sync.models.base import Record, boolean, day, decimal, moment, reference, text


class Opportunity(Record, api_name="Opportunity"):
    """A sale that may come to be."""

    __slots__ = ()

    id = reference("Id")
    name = text("Name")
    stage_name = text("StageName")
    amount = decimal("Amount")
    probability = decimal("Probability")
    close_date = day("CloseDate")
    type = text("Type")
    lead_source = text("LeadSource")
    next_step = text("NextStep")
    description = text("Description")
    forecast_category_name = text("ForecastCategoryName")
    is_closed = boolean("IsClosed")
    is_won = boolean("IsWon")
    account_id = reference("AccountId")
    contact_id = reference("ContactId")
    campaign_id = reference("CampaignId")
    pricebook2_id = reference("Pricebook2Id")
    owner_id = reference("OwnerId")
    is_deleted = boolean("IsDeleted")
    created_date = moment("CreatedDate")
    last_modified_date = moment("LastModifiedDate")
    system_modstamp = moment("SystemModstamp")
