"""Hand-off: delivering an ending to people, signed HTTP calls (webhooks), workflows and Nexus operations."""
