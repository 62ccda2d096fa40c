"""`start` of requests, onboardings and campaigns from files or a table; `task start`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

from rich.console import Group

from activities.errors import StoreFailure
from activities.files.reading import FileFaults
from activities.files.table import Table
from activities.launch import launch as path
from activities.notifications.budget import NotificationBudgets
from starter.boot.startup import ready
from starter.cli import start_files as many
from starter.cli import tables
from starter.cli.actors import find_starter
from starter.cli.arguments import AsJson, RequestFile
from starter.cli.printing import note, print_answer, progress
from starter.cli.start_files import StartOutcome
from starter.config.settings import Need, Settings
from starter.errors import Exit
from starter.queries import lookup
from starter.temporal.connection import Context, opened
from workflows.follow_up.view import PEOPLE_AT_MOST, stamp
from workflows.kinds import Kind, WorkflowName
from workflows.model.base import Model
from workflows.model.messages import duration_words


@dataclass(frozen=True)
class StartWords:
    """The command `start` of one kind, and its dry run."""

    kind: Kind
    dry_run_of: Callable[[Any], Model]
    table: Callable[[Sequence[Any]], Group]

    async def start(
        self,
        *files: RequestFile,
        template: Path | None = None,
        csv: Path | None = None,
        result: Path | None = None,
        dry_run: bool = False,
        again: bool = False,
        json: AsJson = False,
    ) -> Exit:
        """Start what the files describe, or find what the same files started before.

        Nothing is started unless all files are right; all faults are listed at once, with line numbers.

        Parameters
        ----------
        files
            YAML or JSON, several to a file divided by `---`; `-` reads standard input. A document is looked for beside
            its file, then below the working folder.
        template
            A file whose texts name columns of the table of `--csv`, such as `{email}`: each row starts one.
        csv
            The rows, as a spreadsheet exports them. A key whose cell is empty is left out.
        result
            Where the id, the link and the result of each row are written; default: beside the table, `.started.csv`.
        dry_run
            Check everything and say what would be started.
        again
            Restart those whose workflow somebody terminated, with what they already have, also at Core Signature.
        json
            Print `{id, workflow_id, run_id, created, url}`; of several a list, each with `says`.
        """
        settings = ready(Need.PEOPLE)
        rows = _Rows.read(csv, result) if csv else None
        if rows:
            prepared = await many.read_table(settings, self.kind, str(template), rows.table)
        else:
            prepared = await many.read_rows_files(settings, self.kind, files)
        if dry_run:
            _refuse_late(prepared)
            print_answer([self.dry_run_of(start) for start in prepared], self.table(prepared), as_json=json)
            return Exit.DONE
        if rows is None and len(prepared) == 1:
            return await _start_one(settings, prepared[0], restart=again, json=json)
        return await _start_several(settings, prepared, rows, restart=again, json=json)


def _refuse_late(prepared: Sequence[path.PreparedStart]) -> None:
    """Raise `FileFaults` for those that can only be recognised."""
    if too_late := [fault for start in prepared if start.overdue for fault in start.overdue.faults]:
        raise FileFaults(too_late)


request = StartWords(Kind.REQUEST, many.RequestDryRun.from_prepared, tables.of_dry_run).start
campaign = StartWords(Kind.CAMPAIGN, many.CampaignDryRun.from_prepared, many.campaign_dry_run).start
onboarding = StartWords(Kind.ONBOARDING, many.OnboardingDryRun.from_prepared, many.onboarding_dry_run).start


async def task(file: RequestFile, /, *, again: bool = False, json: AsJson = False) -> Exit:
    """Start the task of a file, or find the one that the same file started before.

    Nothing is started unless the whole file is right; all faults are listed at once, with line numbers.

    Parameters
    ----------
    file
        A task in YAML or JSON; `-` reads standard input.
    again
        Restart it if somebody terminated its workflow: everybody is asked again.
    json
        Print `{id, workflow_id, run_id, created, url}`.
    """
    settings = ready(Need.PEOPLE)
    return await _start_one(settings, await many.read(settings, file, kind=Kind.TASK), restart=again, json=json)


async def list_used_up_budgets(settings: Settings, context: Context, prepared: path.PreparedStart) -> list[str]:
    """Whose first notification will wait because they have had many, in words; nothing while the database is away."""
    notices, now = settings.notices, datetime.now(UTC)
    budgets = NotificationBudgets(context.store, notices.most, notices.per)
    people = () if prepared.workflow_input.policy.urgent else prepared.workflow_input.first_turn[:PEOPLE_AT_MOST]
    try:
        frees = [(person, await budgets.frees_at(person, now)) for person in people]
    except StoreFailure:
        return []
    predicate = f"had {notices.most} notices in {duration_words(notices.per)}, so the next waits until"
    return [
        f"{person} {predicate} {stamp(frees_at)} (COUNTERSIGN_NOTICES_MOST)" for person, frees_at in frees if frees_at
    ]


class _Rows(NamedTuple):
    """A table, and the file of its results."""

    table: Table
    result: Path

    @classmethod
    def read(cls, csv: Path, result: Path | None) -> Self:
        return cls(Table.read(csv), result or csv.with_suffix(".started.csv"))

    def write(self, outcomes: Sequence[StartOutcome]) -> None:
        many.write_results(self.result, self.table, outcomes)
        note(f"each row, its id and its link: {self.result}")


async def _start_one(settings: Settings, prepared: path.PreparedStart, *, restart: bool, json: bool) -> Exit:
    async with opened(settings) as opened_context:
        context = replace(opened_context, actor=await find_starter(settings))
        waits = await list_used_up_budgets(settings, context, prepared)
        started = await many.start(context, prepared, restart=restart)
        ending = None if started.created or json else await _describe_end(context, prepared)
    print_answer(started, tables.of_start(started, ending), as_json=json, link=started.url)
    for warning in waits if started.created else ():
        note(warning)
    return Exit.DONE


async def _describe_end(context: Context, prepared: path.PreparedStart) -> str | None:
    """How an earlier one has ended; None while open."""
    subject = prepared.workflow_input.subject
    view = await lookup.find_best_view(context.client, context.store, WorkflowName(subject.type, subject.id))
    return view.says if view.status.has_ended else None


async def _start_several(
    settings: Settings, prepared: Sequence[path.PreparedStart], rows: _Rows | None, *, restart: bool, json: bool
) -> Exit:
    outcomes = [StartOutcome(start) for start in prepared]
    try:
        await _start_all(settings, prepared, outcomes, restart=restart, quiet=json)
    finally:
        if rows is not None:
            rows.write(outcomes)
    print_answer(
        [outcome.answer for outcome in outcomes], tables.of_many(outcomes, list_all=rows is None), as_json=json
    )
    return Exit.DONE if all(outcome.started for outcome in outcomes) else Exit.REFUSED


async def _start_all(
    settings: Settings,
    prepared: Sequence[path.PreparedStart],
    outcomes: list[StartOutcome],
    *,
    restart: bool,
    quiet: bool,
) -> None:
    with progress("starting", quiet=quiet, total=len(prepared)) as bar:

        def report(number: int, outcome: StartOutcome) -> None:
            outcomes[number] = outcome
            bar(advance=1)

        async with opened(settings) as opened_context:
            context = replace(opened_context, actor=await find_starter(settings))
            await many.start_many(context, prepared, restart=restart, report=report)
