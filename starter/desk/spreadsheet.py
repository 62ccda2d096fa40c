"""A list as a CSV file that spreadsheets open as it is meant: UTF-8, and nothing is taken for a formula. Pure."""

import io
from collections.abc import Sequence
from typing import Final

from activities.files.table import put
from activities.language import phrase

HEAD: Final = (
    phrase("Reference"),
    phrase("Document or task"),
    phrase("Kind"),
    phrase("Status"),
    phrase("Asked by"),
    phrase("Waiting for"),
    phrase("Since"),
    phrase("Due"),
    phrase("In the way"),
)
_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""By it a spreadsheet knows UTF-8 when it sees it."""


def written(cells: Sequence[str], *, first: bool = False) -> str:
    """One line of the file; the name of a document is a stranger's text."""
    line = io.StringIO()
    put(line, cells, ())
    return (_MARK if first else "") + line.getvalue()
