"""Who runs what first, so that a stack for many tests is started by one worker of pytest-xdist and not by each.

`--dist worksteal` cuts the list of tests in two, and lets whoever is done have the end of what the other has left.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

import pytest

STACKS: Final = ("laptop", "shared")
"""The fixtures that keep processes for a whole session; each begins one half of the list."""


def laid_out(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests of one stack at the head of each half, then those with a server of their own, then the quick ones.

    Apart from that they stay in the order they had, which is a random one; modules stay whole.
    """
    halves = [[item for item in items if stack in _fixtures(item)] for stack in STACKS]
    others = [item for item in items if not _fixtures(item).intersection(STACKS)]
    slow = [item for item in others if item.get_closest_marker("real_server")]
    for number, (_, module) in enumerate(groupby(slow, key=lambda item: item.path)):
        halves[number % 2].extend(module)
    quick = [item for item in others if not item.get_closest_marker("real_server")]
    first, second = halves
    room = max(0, len(items) // 2 - len(first))
    return [*first, *quick[:room], *second, *quick[room:]]


def _fixtures(item: pytest.Item) -> set[str]:
    return set(item.fixturenames) if isinstance(item, pytest.Function) else set()
