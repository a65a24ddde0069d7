"""The Account model."""

from __future__ import annotations

from salesforce_sync.models.base import Record, boolean, decimal, integer, moment, reference, text


class Account(Record, api_name="Account"):
    """An organisation or person that business is done with."""

    __slots__ = ()

    id = reference("Id")
    name = text("Name")
    type = text("Type")
    industry = text("Industry")
    rating = text("Rating")
    account_number = text("AccountNumber")
    phone = text("Phone")
    website = text("Website")
    annual_revenue = decimal("AnnualRevenue")
    number_of_employees = integer("NumberOfEmployees")
    description = text("Description")
    billing_street = text("BillingStreet")
    billing_city = text("BillingCity")
    billing_state = text("BillingState")
    billing_postal_code = text("BillingPostalCode")
    billing_country = text("BillingCountry")
    parent_id = reference("ParentId")
    owner_id = reference("OwnerId")
    is_deleted = boolean("IsDeleted")
    created_date = moment("CreatedDate")
    last_modified_date = moment("LastModifiedDate")
    system_modstamp = moment("SystemModstamp")
