"""Whose figures somebody may see, and which they ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Self

from activities.records.figures import GroupBy, Scope
from starter.errors import Refusal
from starter.queries.figures import FigureQuery
from starter.web.rights import ReaderRole

WORD_AT_MOST = 100
"""Characters of a kind and a department."""


@dataclass(frozen=True)
class FiguresAccess:
    """`scope` is None for everybody's figures, `reach` the people whose devices are counted, None for everybody."""

    scope: Scope | None
    reach: tuple[str, ...] | None

    @classmethod
    def of_role(cls, role: ReaderRole) -> Self:
        """An operator sees everybody's; others of what they, their teams and their people asked for, and their people
        were asked.
        """
        if role.operator:
            return cls(None, None)
        return cls(Scope((*sorted(role.known_as), *role.reports), role.reports), role.reports)


def wanted_of(query: Mapping[str, str]) -> FigureQuery:
    """From the query of a page; an unknown grouping is by kind. Raises `Refusal` for what is no day."""
    grouping = query.get("by", "")
    return FigureQuery(
        by=GroupBy(grouping) if grouping in list(GroupBy) else GroupBy.KIND,
        kind=_stripped(query.get("kind", "")),
        department=_stripped(query.get("department", "")),
        since=_day(query.get("since", "")),
        until=_day(query.get("until", "")),
    )


def _stripped(text: str) -> str | None:
    return text.strip()[:WORD_AT_MOST] or None


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise Refusal(f"{text[:WORD_AT_MOST]} is no day such as 2026-09-01") from None
