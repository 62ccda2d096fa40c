"""Calendars: durations on the clock of a place, working hours and days, public holidays."""
