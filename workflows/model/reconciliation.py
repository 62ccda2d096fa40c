"""What a sweep over Core Signature's events is asked for, and what it came to."""

from typing import Final, Self

from pydantic import AwareDatetime

from workflows.model.base import Model

PARTS_AT_MOST: Final = 10
"""Activities of one sweep: what is left is for the next one."""
SHOWN_AT_MOST: Final = 50
"""Requests that a sweep names; the others it mended are counted."""


class Reconciliation(Model):
    """A sweep, of at most so many parts."""

    parts: int = PARTS_AT_MOST


class SweepOrder(Model):
    """Look at the next part of the events; `now` is when."""

    now: AwareDatetime


class Mended(Model):
    """A request that was told of an event of which it may not have heard; `event` is the provider's word for it."""

    request: str
    event: str
    at: AwareDatetime


class Swept(Model):
    """What was looked at: pages of events, and of how many of them a request was told.

    All events up to `until` have been looked at, some of which may be on no list yet. A sweep that is not `over` has
    come back to `reached`. `unnamed` events do not say whose document they are about.
    """

    pages: int = 0
    events: int = 0
    told: int = 0
    mended: tuple[Mended, ...] = ()
    unnamed: int = 0
    until: AwareDatetime | None = None
    reached: AwareDatetime | None = None
    over: bool = False

    def followed_by(self, part: "Swept") -> Self:
        """This and the next part of it together."""
        return self.replace(
            pages=self.pages + part.pages,
            events=self.events + part.events,
            told=self.told + part.told,
            mended=(*self.mended, *part.mended)[:SHOWN_AT_MOST],
            unnamed=self.unnamed + part.unnamed,
            until=part.until,
            reached=part.reached,
            over=part.over,
        )

    @property
    def details(self) -> str:
        """For the Web UI: a table of what it mended."""
        lines = [f"{self.events:,} events on {self.pages:,} pages; {self.told:,} requests told of what they missed."]
        if not self.over and self.reached:
            lines.append(f"More is left: it has come back to {self.reached:%Y-%m-%d %H:%M} UTC, the next one goes on.")
        if self.unnamed:
            lines.append(f"{self.unnamed:,} events do not say whose document they are about (external_id).")
        if self.mended:
            rows = [f"| {one.request} | {one.event} | {one.at:%Y-%m-%d %H:%M:%S} |" for one in self.mended]
            lines.append("\n".join(("| Request | Missed | At (UTC) |", "| --- | --- | --- |", *rows)))
        if self.told > len(self.mended):
            lines.append(f"and {self.told - len(self.mended):,} more")
        return "\n\n".join(lines)
