"""Tests of calendars and clock times."""
