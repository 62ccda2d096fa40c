"""Models that cross a boundary: inputs, results, commands, views and records.

Frozen; unknown fields are ignored, fields are only ever added, with defaults. Persons are directory ids, never names or
addresses. Import each model from its own module.
"""
