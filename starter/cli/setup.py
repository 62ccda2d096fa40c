"""`countersign init`, `doctor`, `reconcile` and `fast-forward`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Group
from rich.text import Text

from starter.boot.databases import ensure_schema
from starter.boot.databases import upgrade as upgraded_database
from starter.boot.evidence import ensure_key
from starter.boot.person_ids import ensure_secret_of_ids
from starter.boot.startup import ready
from starter.boot.subscriptions import ensure_subscriptions
from starter.boot.web_push import ensure_web_push_key
from starter.cli.arguments import AsJson
from starter.cli.doctor import examination
from starter.cli.doctor.examination import examine, try_targets
from starter.cli.printing import patience, print_answer, progress
from starter.cli.terminal import PrintedInstant, Rows, Sentence
from starter.errors import Exit
from starter.nexus.endpoint import ensure_endpoint
from starter.queries.fast_forward import ForwardedClock, forward, forward_to_next, span
from starter.queries.filters import id_of
from starter.queries.lost_records import Recovery, recover
from starter.temporal.connection import connected, opened
from starter.temporal.reconciliation import ensure_schedule, sweep_now
from starter.temporal.retention import ensure_retention
from starter.temporal.search_attributes import ensure_search_attributes
from workflows.follow_up.view import stamp
from workflows.kinds import Kind, WorkflowName
from workflows.model.reconciliation import AdoptionRefusal, ReconciliationResult

_COLUMNS: Final = (
    "Temporal's Web UI keeps its columns in each browser: Workflows, Configure Columns, add CsProblem and CsStage"
)


async def init(
    *,
    new_web_push_key: Annotated[bool, Parameter(help="Make the next key of web push, too.")] = False,
    json: AsJson = False,
) -> Exit:
    """Create or repair what the processes need: search attributes, schedules, Nexus endpoint, tables of the database,
    the keys of evidence and of web push, and subscriptions at Core Signature, if they are used.

    May be repeated: what exists is left alone, what was changed is repaired. What this user has no right to
    create is listed, with who can create it. With `--new-web-push-key` browsers subscribe with a new key from then on;
    those that have subscribed are sent to with theirs until they are used again.

    Parameters
    ----------
    json
        Print `[{name, made, says}]`.
    """
    settings = ready()
    async with connected(settings) as client:
        needed_parts = [*await ensure_search_attributes(client), await ensure_schedule(client)]
        needed_parts += [await ensure_retention(client)]
        endpoint = await ensure_endpoint(client, settings.nexus_endpoint)
    needed_parts += [await ensure_schema(settings), await ensure_secret_of_ids(settings)]
    needed_parts += [*await ensure_subscriptions(settings)]
    needed_parts += [await ensure_web_push_key(settings, is_rotated=new_web_push_key)]
    results = [*needed_parts, await ensure_key(settings), endpoint]
    print_answer(results, Group(examination.of_set_up(results), Text(_COLUMNS)), as_json=json)
    # Only workflows of other teams need the endpoint, and only machines that make evidence the key.
    return Exit.DONE if all(result.made.usable for result in needed_parts) else Exit.REFUSED


async def upgrade(*, json: AsJson = False) -> None:
    """Bring the tables of the database up to what this version needs; a database that has them is left alone.

    All of it is done or nothing: if it is interrupted, the tables are as before. Running versions keep working.

    Parameters
    ----------
    json
        Print `{database, before, now}`: the schema that it had, null without one, and the one that it has.
    """
    upgraded = await upgraded_database(ready())
    print_answer(upgraded, Text(upgraded.sentence), as_json=json)


async def doctor(
    *,
    targets: Annotated[bool, Parameter(help="Try each target of the catalogue instead.")] = False,
    json: AsJson = False,
) -> Exit:
    """Check whether each part is reachable and set up, or say what to do.

    With `--targets` each target of the hand-off is tried: a system gets a signed `ping`, the others are looked up; a
    target of a request file is not known here.

    Parameters
    ----------
    json
        Print `{ok, parts[{part, state, says}]}`; `state` is ok, warning or wrong, with `--targets` each part a target.
    """
    examined = await (try_targets(ready()) if targets else examine(ready()))
    print_answer(examined, examination.of_examination(examined, "target" if targets else "part"), as_json=json)
    return Exit.DONE if examined.ok else Exit.REFUSED


async def reconcile(
    *,
    records: Annotated[bool, Parameter(help="Write the records that a restored database lacks, instead.")] = False,
    json: AsJson = False,
) -> None:
    """Search Core Signature's events for those that requests have missed, and signal them; a schedule of `countersign
    init` does it every five minutes.

    With `--records` instead: write the records that a database restored from a backup lacks, from the histories that
    Temporal still has; nobody is notified.

    Parameters
    ----------
    json
        Print `{pages, events, told, mended[{request, event, at}], untold, not_told, unnamed, ahead, adoptions,
        adopted, refusals, not_adopted[{document, why}], waiting, not_yet[{document, why}], until, reached, over}`, with
        `--records` `{looked_at, starts, written, missing, records[], not_found[{id, why}]}`.
    """
    if records:
        await _recover(json=json)
        return
    async with connected(ready()) as client:
        with progress("looking at events", quiet=json) as bar:
            first = list[datetime]()

            def report(swept: ReconciliationResult) -> None:
                # Its extent is known as a time: from the newest event to where the last reconciliation ended.
                if swept.reached and swept.until:
                    first.append(swept.reached)
                    bar(
                        description=f"{swept.events:,} events, {swept.told:,} requests told",
                        total=max(1.0, (first[0] - swept.until).total_seconds()),
                        completed=(first[0] - swept.reached).total_seconds(),
                    )

            swept = await sweep_now(client, report)
    print_answer(swept, _view(swept), as_json=json)


def _is_span(_: object, value: str | None) -> None:
    if value is not None:
        span(value)


@dataclass(frozen=True)
class ClockWords:
    """`fast-forward`; with a `kind` for ids of this kind."""

    kind: Kind | None = None

    async def fast_forward(
        self,
        id: str,
        duration: Annotated[str | None, Parameter(validator=_is_span)] = None,
        /,
        *,
        to_next: bool = False,
        json: AsJson = False,
    ) -> None:
        """Move the clock of a request or task, or of an onboarding or campaign with its parts: weeks pass in seconds.

        On a dev server only, such as that of `countersign dev`.

        Parameters
        ----------
        id
            Its id; `countersign fast-forward` takes a request's, or a whole workflow id such as task:ID.
        duration
            How far, such as 4h, 3d or 2w.
        to_next
            Instead of a duration: to the next reminder, or whatever else happens next.
        json
            Print `{id, now, reached}`.
        """
        if self.kind:
            id = WorkflowName(self.kind, id_of(self.kind, id)).workflow_id
        async with opened(ready()) as context, patience("moving the clock", quiet=json):
            move = forward_to_next(context.client, id) if to_next else forward(context.client, id, span(duration or ""))
            forwarded = await move
        print_answer(forwarded, _forwarded_sentence(forwarded), as_json=json)


fast_forward = ClockWords().fast_forward
fast_forward_request = ClockWords(Kind.REQUEST).fast_forward
fast_forward_task = ClockWords(Kind.TASK).fast_forward
fast_forward_onboarding = ClockWords(Kind.ONBOARDING).fast_forward
fast_forward_campaign = ClockWords(Kind.CAMPAIGN).fast_forward


async def _recover(*, json: bool) -> None:
    async with opened(ready()) as context:
        with progress("looking at histories", quiet=json) as bar:

            def report(progress_so_far: Recovery, total: int) -> None:
                bar(
                    description=f"{progress_so_far.written:,} records written",
                    total=total,
                    completed=progress_so_far.looked_at,
                )

            recovery = await recover(context.client, context.store, report)
    print_answer(recovery, _of_recovery(recovery), as_json=json)


def _of_recovery(recovery: Recovery) -> Group:
    summary = f"{recovery.looked_at:,} workflows were looked at, {recovery.written:,} records written"
    parts: list[Text | Rows] = [Text(summary, "bold" if recovery.written else "")]
    if recovery.missing:
        parts.append(Text(f"{recovery.missing:,} have ended and have no record", "yellow"))
        table = Rows("workflow", "why", whole_columns=("workflow",))
        for missing in recovery.not_found:
            table.add(missing.id, missing.why)
        parts.append(table)
    return Group(*parts)


def _view(swept: ReconciliationResult) -> Group:
    table = Rows("request", "missed", "at", whole_columns=("request",))
    for event in swept.mended:
        table.add(event.request, event.event, PrintedInstant(event.at))
    parts: list[Text | Rows] = [Text(swept.summary, "bold"), table] if swept.told else [Text(swept.summary)]
    parts += [Text(warning, "yellow") for warning in swept.warnings]
    for sentence, refusals in swept.documents:
        parts += [Text(sentence, "yellow" if refusals else ""), *((_reasons(refusals),) if refusals else ())]
    if not swept.over:
        parts.append(Text("More is left: the next sweep goes on, or `countersign reconcile` again", "yellow"))
    return Group(*parts)


def _reasons(documents: Iterable[AdoptionRefusal]) -> Rows:
    table = Rows("document", "why", whole_columns=("document",))
    for refusal in documents:
        table.add(refusal.document, refusal.why)
    return table


def _forwarded_sentence(forwarded: ForwardedClock) -> Sentence:
    reached = "" if forwarded.reached else "; it ended on the way"
    return Sentence(f"{forwarded.id}: its clock is at {stamp(forwarded.now)}{reached}")
