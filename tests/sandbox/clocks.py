"""A clock that stands still until it is moved."""

import time
from dataclasses import dataclass, field


@dataclass
class HandClock:
    """Gives epoch seconds; `now` may be changed at any time."""

    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        """The time."""
        return self.now
