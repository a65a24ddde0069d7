"""A simulated Salesforce org: a real HTTP server for trying and testing clients without an account."""
