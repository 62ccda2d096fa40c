"""The endpoint into which the company's directory pushes people and groups (SCIM 2.0)."""
