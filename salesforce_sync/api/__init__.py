"""Salesforce: the room that speaks to the org over HTTP. `client.SalesforceOrg` is its door."""
