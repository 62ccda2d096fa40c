"""Further kinds of follow-up: each is a module that registers it, named by an entry point of an installed package."""

from importlib.metadata import entry_points
from typing import Final

GROUP: Final = "countersign.kinds"


def load() -> None:
    """Import the module of each entry point of `GROUP`; called once, when a process begins."""
    for point in entry_points(group=GROUP):
        point.load()
