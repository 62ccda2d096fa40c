"""Clocks, working hours and public holidays of places."""
