"""How often a test looks whether something has come: at once, soon, and ever more seldom.

Each look is work for a server and a worker, on processors that what is waited for needs as well.
"""

import time
from collections.abc import Iterator
from typing import Final

_LONGER_BY: Final = 1.3
_LONGEST: Final = 0.25


def glances(first: float = 0.01, limit_seconds: float = 60) -> Iterator[float]:
    """The seconds to sleep after each look, until `within` of them have passed."""
    ends, pause = time.monotonic() + limit_seconds, first
    while time.monotonic() < ends:
        yield pause
        pause = min(pause * _LONGER_BY, _LONGEST)
