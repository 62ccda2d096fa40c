"""Durations in a time zone, working hours and days, public holidays."""
