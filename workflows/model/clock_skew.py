"""Bound of clock skew between machines; instants that are compared come from the server's clock."""

from datetime import timedelta
from typing import Final

CLOCKS_APART: Final = timedelta(seconds=5)
"""Skew from which a clock is reported."""
