"""Open follow-ups hear of an absence."""
