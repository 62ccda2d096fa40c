"""Our pages, taken apart by the tests that hold what they say against the code."""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_HEADING: Final = re.compile(r"^#+ (?:\d+\. )?(.+?)(?: <a id=\"([a-z0-9-]+)\"></a>)?$", re.M)
_BLOCK: Final = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", re.M | re.S)
_CITED: Final = re.compile(
    r"(?<![\w/.\"'-])((?:[\w.-]+/)*(?:[\w-]+\.md|catalogue\.toml))\b(?:, (?=[A-Z])([^).,;:\"`\n]+))?"
)

_WIDEST: Final = 125
_NARROWEST: Final = 95
_NO_TEXT: Final = re.compile(r"[|#!<]|    |$")
_BEGINS: Final = re.compile(r" *(?:-|\d+\.) ")

Row = dict[str, str]
"""The cells of a row by the heads of their columns."""


@dataclass(frozen=True)
class Block:
    """A block of code: its language, the word after it if there is one, its text."""

    language: str
    mark: str
    text: str


def blocks(page: str) -> list[Block]:
    """The blocks of code of a page, in its order."""
    return [Block(*match) for match in _BLOCK.findall(page)]


def headings(page: str) -> list[str]:
    """The headings of a page, without numbers."""
    return [heading for heading, _ in _HEADING.findall(_prose(page))]


def anchors(page: str) -> set[str]:
    """What a link may name behind `#`: the anchors we set, and those that GitHub makes of headings without one."""
    matches = _HEADING.findall(_prose(page))
    return {anchor or re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading, anchor in matches}


def table(page: str, heading: str) -> list[Row]:
    """The rows of the first table below a heading."""
    section = re.split(r"^#+ ", _prose(page), flags=re.M)
    [section_text] = [part for part in section if headings(f"# {part}")[:1] == [heading]]
    lines = re.findall(r"^\|(.*)\|$", section_text, re.M)
    head, _, *rows = ([cell.strip() for cell in line.split(" | ")] for line in lines)
    return [dict(zip(head, row, strict=True)) for row in rows]


def rows(page: str) -> set[str]:
    """The ids of the rows of a numbered table, in Markdown or TOML: what a row is cited by."""
    return set(re.findall(r"^\| ([A-Z]\d+) \|", page, re.M)) | set(re.findall(r'^id = "([A-Z]\d+)"$', page, re.M))


def ragged(page: str) -> list[str]:
    """The lines of running text that are too wide, or end although there was room for a good deal more."""
    lines = _prose(page).split("\n")
    wide = [line for line in lines if len(line) > _WIDEST and not _NO_TEXT.match(line)]
    pairs = [pair for pair in pairwise(lines) if not any(_NO_TEXT.match(line) for line in pair)]
    broken = [(line, next_line) for line, next_line in pairs if not _BEGINS.match(next_line)]
    return wide + [line for line, next_line in broken if len(f"{line} {next_line.split()[0]}") <= _NARROWEST]


def citations(text: str) -> list[tuple[str, str]]:
    """The pages a text cites outside of quotation marks, each with the section behind its comma, if it names one."""
    return [(page, section.strip()) for page, section in _CITED.findall(text)]


def _prose(page: str) -> str:
    return _BLOCK.sub("", page)
