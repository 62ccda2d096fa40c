"""The workflow that tells open follow-ups of an absence."""
