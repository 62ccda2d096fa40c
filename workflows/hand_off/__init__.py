"""Replays of a hand-off after the run is closed."""
