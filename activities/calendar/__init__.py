"""Durations in a time zone, public holidays."""
