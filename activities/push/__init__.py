"""Notices to people: their words, the dialects and the fallback that carry them, and the service a workflow calls."""
