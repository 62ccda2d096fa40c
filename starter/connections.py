"""Which connections a process keeps: fewer than it has descriptors, and of one address a share of them.

Without a bound a stranger takes every descriptor by connecting and saying nothing: the process can then neither accept
a caller nor open a file. At the bound the connection that has waited longest for its caller makes room for the new one.
"""

import contextlib
import resource
from typing import Final

from starter.places import Room

CONNECTIONS_AT_MOST: Final = 12_000
"""A silent one takes about 5 KB, one with half a head up to 16 KiB more."""
DESCRIPTORS_KEPT: Final = 256
"""For Temporal, Core Signature, the store, and connections that are accepted and not counted yet; half where there are
fewer than twice as many."""
SHARES: Final = 8
"""One address may have one share of this many: to fill the process, a stranger needs several."""


def raise_descriptors() -> None:
    """Raise the soft limit of this process's descriptors to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems name a hard limit that they do not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def descriptors() -> int:
    """How many descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS_AT_MOST + DESCRIPTORS_KEPT if soft == resource.RLIM_INFINITY else soft


def room_within(descriptors: int) -> Room:
    """For as many connections as a process with so many descriptors can have."""
    kept = min(DESCRIPTORS_KEPT, descriptors // 2)
    altogether = max(1, min(CONNECTIONS_AT_MOST, descriptors - kept))
    return Room(altogether, max(1, altogether // SHARES))
