"""One line of a list of requests: what search attributes and memo tell, and nobody has to be asked for."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime

from pydantic import AwareDatetime

from activities.runs import Run, RunStatus
from starter import lookup
from starter.codec import CodecError
from starter.listing.query import SETTLED
from starter.search_attributes import REPORTED
from workflows import names
from workflows.kinds import Kind, WorkflowName, named
from workflows.model.attention import AttentionCode
from workflows.model.base import Model
from workflows.model.campaign import last_day_before
from workflows.model.records import DeadHandOffs
from workflows.model.subject import BEGINS
from workflows.model.views import Shown


class RequestLine(Model):
    """One line of `request list` or `task list`.

    `status` is where it stood last, as `show` has it. `trouble` is what the workflow cannot say of
    itself: `terminated`, `failed` or `timed out` when it was broken off, `paused` when somebody has it stand still in
    Temporal, `stuck` when its tasks fail time after time.
    """

    id: str
    kind: str
    status: str
    problem: str | None = None
    attention: str | None = None
    """What most needs somebody where nothing is broken: an `AttentionCode`."""
    due_at: AwareDatetime | None = None
    trouble: str | None = None
    document: str = ""
    """Empty also when it is encrypted with a key that is not set here; of a task its title."""
    requester: str = ""
    stage: str = ""
    """Where it is, in a word; of an onboarding the name of its stage."""
    waiting_for: tuple[str, ...] = ()
    """Directory ids of whose turn it is; at most 20, then `+more`."""
    since: AwareDatetime | None = None
    """Since when it is the turn of the first of them."""
    overdue: bool = False
    """Somebody still has to act, after the due date."""
    open: bool = True
    """Whether its workflow goes on."""
    started_at: AwareDatetime | None = None
    """None when Temporal has forgotten the request."""
    workflow_id: str = ""

    @property
    def last_day(self) -> date | None:
        """Of a campaign, the day of which `due_at` is the end everywhere on earth; None of anything else."""
        what = named(self.workflow_id)
        if self.due_at is None or what is None or what.kind is not Kind.CAMPAIGN:
            return None
        return last_day_before(self.due_at)


async def line_of(run: Run, now: datetime) -> RequestLine:
    """The line of a run."""
    known, paused = run.known, run.status is RunStatus.PAUSED
    code, due = known.get(names.PROBLEM), known.get(names.DUE_AT)
    what = named(run.id)
    attention = AttentionCode.PAUSED if paused else code if lookup.needs_attention(code) else None
    return RequestLine(
        id=run.id.partition(":")[2] or run.id,
        kind=known.get(names.KIND) or "",
        status=known.get(names.STATUS) or BEGINS[what.kind if what else Kind.REQUEST],
        problem=None if lookup.needs_attention(code) else code,
        attention=attention,
        due_at=due,
        trouble=_trouble(run),
        document=await _document(run),
        requester=known.get(names.REQUESTER) or "",
        stage=known.get(names.STAGE) or "",
        waiting_for=tuple(known.get(names.WAITING_FOR) or ()),
        since=known.get(names.TURN_AT),
        overdue=is_overdue(run, now),
        open=run.status.open,
        started_at=run.started_at,
        workflow_id=run.id,
    )


def line_of_dead(dead: DeadHandOffs, what: WorkflowName, shown: Shown | None) -> RequestLine:
    """The line of one whose hand-offs died, from the store's index and its record."""
    return RequestLine(
        id=dead.id,
        kind=dead.kind,
        status=dead.status,
        attention=AttentionCode.HANDOFF_DEAD,
        due_at=shown.due_at if shown else None,
        document=shown.title if shown else "",
        requester=shown.requester if shown else "",
        open=False,
        workflow_id=what.workflow_id,
    )


def is_overdue(run: Run, now: datetime) -> bool:
    """Whether somebody still has to act, after the due date."""
    due, stage = run.known.get(names.DUE_AT), run.known.get(names.STAGE)
    return run.status.open and due is not None and due < now and stage not in (None, SETTLED)


def by_urgency(runs: Iterable[Run], now: datetime) -> list[Run]:
    """What is overdue, the longest first; what is open, by its due date; then what has ended, as it came.

    What is open and has no due date is an onboarding: what needs somebody first, then what waits the longest.
    """
    never = datetime.max.replace(tzinfo=UTC)

    def place(run: Run) -> tuple[bool, bool, datetime, bool, datetime]:
        due, since = (run.known.get(names.DUE_AT), run.known.get(names.TURN_AT)) if run.status.open else (None, None)
        calm = run.known.get(names.PROBLEM) is None or not run.status.open
        return not is_overdue(run, now), not run.status.open, due or never, calm, since or never

    return sorted(runs, key=place)


def by_person(runs: Iterable[Run], people: Iterable[str]) -> list[Run]:
    """What waits for the same of these people together, whose most urgent one stands first; then what waits for none.

    Within a group the order stays.
    """
    known, groups = frozenset(people), defaultdict[str, list[Run]](list)
    for run in runs:
        groups[waits_for(run.known.get(names.WAITING_FOR) or (), known)].append(run)
    nobody = groups.pop("", [])
    return [*(run for group in groups.values() for run in group), *nobody]


def waits_for(waiting: Iterable[str], people: frozenset[str]) -> str:
    """The first of these people for whom something waits; empty where it waits for none of them."""
    return next((person for person in waiting if person in people), "")


async def _document(run: Run) -> str:
    try:
        return await run.memo(names.MEMO_DOCUMENT)
    except CodecError:
        return ""


def _trouble(run: Run) -> str | None:
    if run.status.broken_off or run.status is RunStatus.PAUSED:
        return run.status
    reported = any(pair.key.name == REPORTED.name for pair in run.known)
    return "stuck" if run.status is RunStatus.RUNNING and reported else None
