"""What people read of the set-up: a line a part, a line for each thing that is made."""

from collections.abc import Iterable
from typing import Final

from rich.text import Text

from starter.doctor.health import Examination, PartHealth
from starter.rows import Rows
from starter.search_attributes import SetUp

_MARKS: Final = {
    PartHealth.OK: ("✓", "green"),
    PartHealth.WARNING: ("!", "yellow"),
    PartHealth.WRONG: ("✗", "bold red"),
}


def of_set_up(results: Iterable[SetUp]) -> Rows:
    """One line for each thing that the namespace must have."""
    table = Rows("in the namespace", "", "")
    for result in results:
        table.add(result.name, Text(result.made, "" if result.made.usable else "red"), result.says)
    return table


def of_examination(examined: Examination, what: str = "part") -> Rows:
    """One line for each `what`."""
    table = Rows("", what, "")
    for part in examined.parts:
        table.add(Text(*_MARKS[part.state]), part.part, part.says)
    return table
