"""Read the tables of faults and of bounds that tests prove, and print them as pages: `make reliability`."""

import tomllib
from pathlib import Path
from typing import Any, Final

TESTS: Final = Path(__file__).parent
FAULTS: Final = TESTS / "faults" / "catalogue.toml"
LIMITS: Final = TESTS / "limits.toml"
LONG_RUNS: Final = "What a long run came to"

Row = dict[str, Any]


def load_sections(path: Path) -> dict[str, list[Row]]:
    """The rows of a table by section; texts on one line."""
    sections = tomllib.loads(path.read_text())
    return {title: [_join_lines(row) for row in rows] for title, rows in sections.items()}


def load_faults() -> list[Row]:
    """Each injected fault: `id`, `fault`, `result`, and the `tests` that show it."""
    return [row for title, rows in load_sections(FAULTS).items() if title != LONG_RUNS for row in rows]


def load_limits() -> list[Row]:
    """Each bound: `what` it bounds, the `bound`, what happens `beyond`, and its `tests`, or why it is `untested`."""
    return [row for rows in load_sections(LIMITS).values() for row in rows]


def split_scope(test: str) -> tuple[str, str]:
    """How far a test goes, if not ten times past its bound, and the test as `file::function`."""
    scope, _, name = test.rpartition(": ")
    return scope, name


def render_page(title: str, sections: dict[str, list[Row]]) -> str:
    """Sections as tables of Markdown."""
    return f"# {title}\n\n" + "\n".join(_render_table(heading, rows) for heading, rows in sections.items())


def _render_table(heading: str, rows: list[Row]) -> str:
    columns = list(dict.fromkeys(column for row in rows for column in row if column not in ("tests", "untested")))
    head = [*columns, "shown by"]
    lines = [
        head,
        ["---"] * len(head),
        *([*(str(row.get(name, "")) for name in columns), _render_proof(row)] for row in rows),
    ]
    return f"## {heading}\n\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _render_proof(row: Row) -> str:
    if "untested" in row:
        return f"– {row['untested']}"
    proofs = (split_scope(test) for test in row.get("tests", ()))
    return ", ".join(f"{scope}: `{name}`" if scope else f"`{name}`" for scope, name in proofs)


def _join_lines(row: Row) -> Row:
    return {name: " ".join(value.split()) if isinstance(value, str) else value for name, value in row.items()}


if __name__ == "__main__":
    print(render_page("Faults that tests inject", load_sections(FAULTS)))
    print(render_page("What bounds what", load_sections(LIMITS)))
