"""Models that cross a boundary: frozen; unknown fields are ignored, fields are only added, with defaults. Persons are
directory ids. Import each model from its own module.
"""
