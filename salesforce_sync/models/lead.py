"""The Lead model."""

from __future__ import annotations

from salesforce_sync.models.base import Record, boolean, decimal, integer, moment, reference, text


class Lead(Record, api_name="Lead"):
    """A person who may become a customer."""

    __slots__ = ()

    id = reference("Id")
    name = text("Name")
    first_name = text("FirstName")
    last_name = text("LastName")
    salutation = text("Salutation")
    company = text("Company")
    title = text("Title")
    email = text("Email")
    phone = text("Phone")
    mobile_phone = text("MobilePhone")
    website = text("Website")
    status = text("Status")
    rating = text("Rating")
    industry = text("Industry")
    lead_source = text("LeadSource")
    annual_revenue = decimal("AnnualRevenue")
    number_of_employees = integer("NumberOfEmployees")
    description = text("Description")
    street = text("Street")
    city = text("City")
    state = text("State")
    postal_code = text("PostalCode")
    country = text("Country")
    is_converted = boolean("IsConverted")
    owner_id = reference("OwnerId")
    is_deleted = boolean("IsDeleted")
    created_date = moment("CreatedDate")
    last_modified_date = moment("LastModifiedDate")
    system_modstamp = moment("SystemModstamp")
