"""Models of reconciliation: reading Core Signature's list of events for what callbacks missed."""

from collections.abc import Iterable, Iterator
from typing import Final, Self

from pydantic import AwareDatetime

from workflows.model.base import Model

PARTS_AT_MOST: Final = 10
"""Activities of one reconciliation; the next one continues."""
SHOWN_AT_MOST: Final = 50
"""Corrected requests that are named; further ones are counted."""


class Reconciliation(Model):
    """Input of the workflow: one reconciliation of at most so many parts."""

    parts: int = PARTS_AT_MOST


class ReconciliationOrder(Model):
    """Read the next part of the events; `now` is the workflow's instant, each attempt uses its own start."""

    now: AwareDatetime


class CorrectedRequest(Model):
    """A request that was notified of an event it may have missed; `event` is the provider's word."""

    request: str
    event: str
    at: AwareDatetime


class AdoptionRefusal(Model):
    """A document sent by hand that cannot be adopted, now or ever; `why` names no person."""

    document: str
    why: str


class ReconciliationResult(Model):
    """Counts of events read and requests notified. All events up to `until` were read; if not `over`, back to
    `reached`. `untold` requests take no signal now, `unnamed` events name no document, `ahead` are in the future.
    Documents sent by hand were adopted, refused, or wait (`not_yet`).
    """

    pages: int = 0
    events: int = 0
    told: int = 0
    mended: tuple[CorrectedRequest, ...] = ()
    untold: int = 0
    not_told: tuple[str, ...] = ()
    unnamed: int = 0
    ahead: int = 0
    adoptions: int = 0
    adopted: tuple[str, ...] = ()
    refusals: int = 0
    not_adopted: tuple[AdoptionRefusal, ...] = ()
    waiting: int = 0
    not_yet: tuple[AdoptionRefusal, ...] = ()
    until: AwareDatetime | None = None
    reached: AwareDatetime | None = None
    over: bool = False

    def followed_by(self, part: "ReconciliationResult") -> Self:
        """The sum of this part and the next."""
        return self.replace(
            pages=self.pages + part.pages,
            events=self.events + part.events,
            told=self.told + part.told,
            mended=(*self.mended, *part.mended)[:SHOWN_AT_MOST],
            untold=self.untold + part.untold,
            not_told=(*self.not_told, *part.not_told)[:SHOWN_AT_MOST],
            unnamed=self.unnamed + part.unnamed,
            ahead=self.ahead + part.ahead,
            adoptions=self.adoptions + part.adoptions,
            adopted=(*self.adopted, *part.adopted)[:SHOWN_AT_MOST],
            refusals=self.refusals + part.refusals,
            not_adopted=(*self.not_adopted, *part.not_adopted)[:SHOWN_AT_MOST],
            waiting=part.waiting,
            not_yet=part.not_yet,
            until=part.until,
            reached=part.reached,
            over=part.over,
        )

    @property
    def details(self) -> str:
        """Web UI details: a Markdown table of corrections."""
        lines = [f"{self.events:,} events on {self.pages:,} pages; {self.told:,} requests told of what they missed."]
        if not self.over and self.reached:
            lines.append(f"More is left: it has come back to {self.reached:%Y-%m-%d %H:%M} UTC, the next one goes on.")
        if self.untold:
            lines.append(self.of_the_deaf)
        if self.unnamed:
            lines.append(f"{self.unnamed:,} events do not say whose document they are about (external_id).")
        if self.ahead:
            lines.append(self.of_the_future)
        if self.mended:
            rows = [
                f"| {callback.request} | {callback.event} | {callback.at:%Y-%m-%d %H:%M:%S} |"
                for callback in self.mended
            ]
            lines.append("\n".join(("| Request | Missed | At (UTC) |", "| --- | --- | --- |", *rows)))
        if self.told > len(self.mended):
            lines.append(f"and {self.told - len(self.mended):,} more")
        return "\n\n".join((*lines, *self._of_documents))

    @property
    def of_the_deaf(self) -> str:
        """Message to operators about requests that could not be notified."""
        return (
            f"{self.untold:,} requests could not be told, Temporal takes no signal for them: {', '.join(self.not_told)}"
        )

    @property
    def of_the_future(self) -> str:
        """Message to operators about events that are `ahead`."""
        return f"{self.ahead:,} events have a time that is to come: is a clock wrong, Core Signature's or this one?"

    @property
    def _of_documents(self) -> Iterator[str]:
        if self.adopted:
            yield f"{self.adoptions:,} documents that were sent by hand are followed up: {', '.join(self.adopted)}"
        if self.not_adopted:
            yield f"{self.refusals:,} documents that were sent by hand cannot be followed up."
            yield _reasons(self.not_adopted)
        if self.waiting:
            yield f"{self.waiting:,} documents that were sent by hand wait for a later sweep."
        if self.not_yet:
            yield _reasons(self.not_yet)


def _reasons(documents: Iterable[AdoptionRefusal]) -> str:
    rows = [f"| {refusal.document} | {refusal.why} |" for refusal in documents]
    return "\n".join(("| Document | Why |", "| --- | --- |", *rows))
