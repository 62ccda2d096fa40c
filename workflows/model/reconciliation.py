"""Models of reconciliation: reading Core Signature's list of events for what callbacks missed."""

from collections.abc import Iterable
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
        lines = [f"{self.summary}."]
        if not self.over and self.reached:
            lines.append(f"More is left: it has come back to {self.reached:%Y-%m-%d %H:%M} UTC, the next one goes on.")
        lines += self.warnings
        if self.mended:
            rows = [
                f"| {callback.request} | {callback.event} | {callback.at:%Y-%m-%d %H:%M:%S} |"
                for callback in self.mended
            ]
            lines.append("\n".join(("| Request | Missed | At (UTC) |", "| --- | --- | --- |", *rows)))
        if self.told > len(self.mended):
            lines.append(f"and {self.told - len(self.mended):,} more")
        for sentence, refusals in self.documents:
            lines += [sentence, *((_reasons(refusals),) if refusals else ())]
        return "\n\n".join(lines)

    @property
    def summary(self) -> str:
        """What was read, and how many requests heard of it."""
        events = f"Looked at {_count(self.events, 'event')}"
        return (
            f"{events}; told of what they missed: {_count(self.told, 'request')}"
            if self.told
            else f"{events}: nothing missed"
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What operators may have to mend, a sentence each."""
        sentences = []
        if self.untold:
            requests = _count(self.untold, "request")
            sentences.append(f"Temporal takes no signal for {requests}, not told: {', '.join(self.not_told)}")
        if self.unnamed:
            sentences.append(f"{_count(self.unnamed, 'event')} without the id of a request (external_id)")
        if self.ahead:
            events = _count(self.ahead, "event")
            sentences.append(f"{events} with a time that is to come: is a clock wrong, Core Signature's or this one?")
        return tuple(sentences)

    @property
    def documents(self) -> tuple[tuple[str, tuple[AdoptionRefusal, ...]], ...]:
        """Of the documents sent by hand: what becomes of how many, and why of some not."""
        outcomes: list[tuple[str, tuple[AdoptionRefusal, ...]]] = []
        if self.adopted:
            documents = _count(self.adoptions, "document")
            outcomes.append((f"Followed up from now on, {documents} sent by hand: {', '.join(self.adopted)}", ()))
        if self.not_adopted:
            documents = _count(self.refusals, "document")
            outcomes.append((f"Cannot be followed up: {documents} sent by hand", self.not_adopted))
        if self.waiting or self.not_yet:
            documents = _count(max(self.waiting, len(self.not_yet)), "document")
            outcomes.append((f"Left to a later sweep: {documents} sent by hand", self.not_yet))
        return tuple(outcomes)


def _count(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def _reasons(documents: Iterable[AdoptionRefusal]) -> str:
    rows = [f"| {refusal.document} | {refusal.why} |" for refusal in documents]
    return "\n".join(("| Document | Why |", "| --- | --- |", *rows))
