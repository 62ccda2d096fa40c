"""How long anybody may have us wait."""

from datetime import timedelta
from typing import Final

LONGEST_WAIT: Final = 3600.0
"""Seconds: a service that asks for more is asked again after this."""


def wait_asked_for(seconds: float) -> timedelta:
    """What a service asked for, within bounds: what is stored with a history already may be any number."""
    return timedelta(seconds=max(0.0, min(LONGEST_WAIT, seconds)))
