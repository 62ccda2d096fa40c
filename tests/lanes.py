"""Who runs what first, so that a stack for many tests is started by one worker of pytest-xdist and not by each.

`--dist worksteal` cuts the list of tests into as many parts as there are workers, and lets whoever is done have the end
of what another has left. There are twice as many workers as processors of a small machine (Makefile): half of a test is
waiting, for a server, a disk or a browser.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

import pytest

STACKS: Final = ({"laptop", "browser"}, {"shared"}, {"database_url", "files"})
"""The fixtures that keep processes for a whole session; those of one worker begin a part of the list."""
_LONG: Final = {"laptop", "browser", "shared", "postgresql", "moto", "seaweedfs"}
"""The fixtures, and values of parameters, for which more than a server of Temporal is started."""


def is_long(item: pytest.Item) -> bool:
    """Whether a test needs a whole stack, a browser, PostgreSQL or S3, and so belongs to `make stories`."""
    return bool(_fixtures(item) & _LONG or _parameters(item) & _LONG or item.get_closest_marker("browser"))


def lay_out(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """The tests of one stack at the head of each part, then those with a server of their own, then the quick ones.

    Parts without a stack have more of the servers. Apart from that tests stay in the order they had, which is a random
    one; modules stay whole.
    """
    stacked = [[item for item in items if _fixtures(item) & stack_fixtures] for stack_fixtures in STACKS]
    parts: list[list[pytest.Item]] = [*stacked, *([] for _ in range(workers - len(STACKS)))]
    items_without_stack = [item for item in items if not _fixtures(item) & set().union(*STACKS)]
    slow = [item for item in items_without_stack if item.get_closest_marker("real_server")]
    for _, module in groupby(slow, key=lambda item: item.path):
        min(parts, key=len).extend(module)
    quick = [item for item in items_without_stack if not item.get_closest_marker("real_server")]
    room = -(-len(items) // len(parts))
    for part in parts:
        room_left = max(0, room - len(part))
        part.extend(quick[:room_left])
        del quick[:room_left]
    return [item for part in parts for item in part] + quick


def _fixtures(item: pytest.Item) -> set[str]:
    return set(item.fixturenames) if isinstance(item, pytest.Function) else set()


def _parameters(item: pytest.Item) -> set[str]:
    values = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    return {value for value in values if isinstance(value, str)}
