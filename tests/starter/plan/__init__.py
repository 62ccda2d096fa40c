"""Tests of the calendar before anything is sent."""
