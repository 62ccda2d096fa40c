"""`countersign reconcile`: look now whether any request has missed something that Core Signature knows."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.console import Group
from rich.text import Text

from starter.commands.arguments import AsJson
from starter.commands.printing import print_answer, progress
from starter.context import connected
from starter.reconciling import sweep_now
from starter.rows import Rows
from starter.startup import ready
from starter.terminal import Instant
from workflows.model.reconciliation import NotAdopted, ReconciliationResult


async def reconcile(*, json: AsJson = False) -> None:
    """Look through Core Signature's events for what requests have missed, and tell them; every five minutes it is done
    by itself (`countersign init` makes the schedule).

    Parameters
    ----------
    json
        Print `{pages, events, told, mended[{request, event, at}], untold, not_told, unnamed, ahead, adoptions,
        adopted, refusals, not_adopted[{document, why}], waiting, not_yet[{document, why}], until, reached, over}`.
    """
    async with connected(ready()) as client:
        with progress("looking at events", quiet=json) as bar:
            first = list[datetime]()

            def seen(swept: ReconciliationResult) -> None:
                # How far back it goes is known as a time: from the newest event to where the last sweep came.
                if swept.reached and swept.until:
                    first.append(swept.reached)
                    bar(
                        description=f"{swept.events:,} events, {swept.told:,} requests told",
                        total=max(1.0, (first[0] - swept.until).total_seconds()),
                        completed=(first[0] - swept.reached).total_seconds(),
                    )

            swept = await sweep_now(client, seen)
    print_answer(swept, _told(swept), as_json=json)


def _told(swept: ReconciliationResult) -> Group:
    table = Rows("request", "missed", "at", whole=("request",))
    for one in swept.mended:
        table.add(one.request, one.event, Instant(one.at))
    events = f"{swept.events:,} events were looked at"
    says = (
        f"{events}, {swept.told:,} requests are told of what they missed" if swept.told else f"{events}: nothing missed"
    )
    parts: list[Text | Rows] = [Text(says, "bold"), table] if swept.told else [Text(says)]
    if swept.untold:
        parts.append(Text(swept.of_the_deaf, "yellow"))
    if swept.unnamed:
        parts.append(Text(f"{swept.unnamed:,} events do not say whose document they are about", "yellow"))
    if swept.ahead:
        parts.append(Text(swept.of_the_future, "yellow"))
    parts += list(_of_documents(swept))
    if not swept.over:
        parts.append(Text("More is left: the next sweep goes on, or `countersign reconcile` again", "yellow"))
    return Group(*parts)


def _of_documents(swept: ReconciliationResult) -> Iterator[Text | Rows]:
    """What became of documents that were sent by hand."""
    if swept.adopted:
        yield Text(f"{swept.adoptions:,} documents that were sent by hand are followed up: {', '.join(swept.adopted)}")
    if swept.not_adopted:
        yield Text(f"{swept.refusals:,} documents that were sent by hand cannot be followed up", "yellow")
        yield _reasons(swept.not_adopted)
    if swept.waiting:
        yield Text(f"{swept.waiting:,} documents that were sent by hand wait for a later sweep", "yellow")
    if swept.not_yet:
        yield _reasons(swept.not_yet)


def _reasons(documents: Iterable[NotAdopted]) -> Rows:
    table = Rows("document", "why", whole=("document",))
    for one in documents:
        table.add(one.document, one.why)
    return table
