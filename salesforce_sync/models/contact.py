"""The Contact model."""

from __future__ import annotations

from salesforce_sync.models.base import Record, boolean, day, moment, reference, text


class Contact(Record, api_name="Contact"):
    """A person at an account."""

    __slots__ = ()

    id = reference("Id")
    name = text("Name")
    first_name = text("FirstName")
    last_name = text("LastName")
    salutation = text("Salutation")
    email = text("Email")
    phone = text("Phone")
    mobile_phone = text("MobilePhone")
    title = text("Title")
    department = text("Department")
    birthdate = day("Birthdate")
    description = text("Description")
    lead_source = text("LeadSource")
    mailing_street = text("MailingStreet")
    mailing_city = text("MailingCity")
    mailing_state = text("MailingState")
    mailing_postal_code = text("MailingPostalCode")
    mailing_country = text("MailingCountry")
    account_id = reference("AccountId")
    reports_to_id = reference("ReportsToId")
    owner_id = reference("OwnerId")
    is_deleted = boolean("IsDeleted")
    created_date = moment("CreatedDate")
    last_modified_date = moment("LastModifiedDate")
    system_modstamp = moment("SystemModstamp")
