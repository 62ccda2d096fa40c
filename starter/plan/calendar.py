"""`countersign request plan`: the calendar of a request before anything is sent, without server or network."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, SecretStr, computed_field
from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities.calendar.calendar import at_clock
from activities.files.fields import known_zone
from activities.launch.request_file import PreparedRequest
from activities.people.devices import KnownDevice
from activities.people.directory import Directory, UnknownPerson
from activities.people.ids import position_of, stands_in_full
from activities.people.mailbox import MailboxSubstitutes
from activities.people.person import Person, PushDevice, SignersFile
from activities.policies.cascade import REQUEST, ResolvedPolicy
from activities.schedule.planner import PolicyPlanner
from activities.temporal import executions as runs
from activities.temporal.executions import RunStatus
from starter.errors import Refusal
from starter.plan.rehearsal import Rehearsal, RehearsedEvent
from starter.queries.filters import request_id
from starter.temporal.connection import Context
from workflows import names
from workflows.follow_up import notification_types as stages
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.messages import Message, duration_words, join_english
from workflows.model.notifications import Channel
from workflows.model.policy import WHEN_DUE, Policy
from workflows.model.schedule import ActionType, PlanningInput, Reason, Schedule, ScheduledAction
from workflows.model.subject import Participant, Status

_SIGNING: Final = re.compile(r"([A-Za-z0-9._-]{1,100})@\+([1-9][0-9]{0,3}[mhdw])")
_MORNING: Final = time(9)
_FIELDS: Final[Mapping[ActionType | None, str]] = {
    ActionType.REMIND: "reminders.every",
    ActionType.WARN: "warnings",
    ActionType.OVERDUE: "overdue.every",
    ActionType.FALLBACK: "fallback_after",
    ActionType.ESCALATE: "escalation.after",
    ActionType.ESCALATED: "escalation.after",
    ActionType.EXPIRE: "grace",
}
"""The policy field behind each kind of action."""
_WITHIN: Final = timedelta(seconds=5)


class _WithReasons(Model):
    """With reasons, in JSON also as a sentence."""

    reasons: tuple[Message, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def why(self) -> str:
        """The reasons in English."""
        return join_english(self.reasons)


class PlanLine(_WithReasons):
    """`local` is on the clock of `zone`: the recipient's, unless one was given."""

    at: AwareDatetime
    local: str
    zone: str
    stage: str
    person: str
    to: str
    layer: str | None = None
    """The policy layer that causes it."""
    suppressed: Reason | None = None
    """Why it would not be sent."""


class Branch(Model):
    """What happens if some sign in time and nobody else acts."""

    says: str
    outcome: Status
    lines: tuple[PlanLine, ...]


class PolicyValue(Model):
    """A value of the policy and its layer: default, a kind, or the request."""

    field: str
    value: Any
    layer: str


class RequestPlan(Model):
    """The answer of `request plan`."""

    id: str
    kind: str
    document: str
    at: AwareDatetime
    due_at: AwareDatetime
    closes_at: AwareDatetime
    policy: tuple[PolicyValue, ...]
    branches: tuple[Branch, ...]
    channels: Mapping[str, Channel] = {}
    """What notifies each signer whom no push reaches."""


class PlannedDirectory:
    """The directory, and the signers described in full in an unsent file."""

    def __init__(self, directory: Directory, signers: bytes | None) -> None:
        self._directory = directory
        self._signers = SignersFile.model_validate_json(signers) if signers else None

    @property
    def warning(self) -> str | None:
        return self._directory.warning

    @property
    def secret(self) -> SecretStr | None:
        return self._directory.secret

    @property
    def substitutes(self) -> MailboxSubstitutes:
        return self._directory.substitutes

    async def person(self, id: str, beside_workflow: str | None = None) -> Person:
        if not stands_in_full(id):
            return await self._directory.person(id, beside_workflow)
        signer = self._signers.person(id) if self._signers else None
        if signer is None:
            raise UnknownPerson(id)
        return signer

    async def group(self, name: str) -> tuple[str, ...]:
        return await self._directory.group(name)

    async def substitute_of(self, leaver: str) -> str | None:
        return await self._directory.substitute_of(leaver)

    async def devices(self, person: Person) -> tuple[PushDevice, ...]:
        return await self._directory.devices(person)

    async def known_devices(self, person: Person) -> tuple[KnownDevice, ...]:
        return await self._directory.known_devices(person)

    async def mark_gone(self, person: Person, device: PushDevice, reason: str) -> None:
        await self._directory.mark_gone(person, device, reason)


def signing(texts: Sequence[str]) -> dict[str, str]:
    """`customer-signer@+2d`, several with commas: who signs how long after their turn; `ValueError`."""
    duration_by_signer: dict[str, str] = {}
    for text in (part for texts_ in texts for part in texts_.split(",")):
        match = _SIGNING.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text} is not PERSON@+DURATION such as customer-signer@+2d")
        duration_by_signer[match[1]] = match[2]
    return duration_by_signer


def zone_of(name: str | None) -> ZoneInfo | None:
    """`ValueError` if there is no such zone."""
    return ZoneInfo(known_zone(name)) if name else None


def sending_time(typed_time: str | None, zone: ZoneInfo | None, now: datetime) -> datetime:
    """The instant of `--at`: on the clock of the zone, else UTC; a bare date is 09:00. `ValueError` otherwise."""
    if typed_time is None:
        return now
    try:
        day_only = re.fullmatch(r"\d{4}-\d\d-\d\d", typed_time)
        instant = (
            datetime.combine(date.fromisoformat(typed_time), _MORNING)
            if day_only
            else datetime.fromisoformat(typed_time)
        )
    except ValueError:
        raise ValueError(f"{typed_time} is not a date, or an instant such as 2026-11-02T09:00+01:00") from None
    if instant.tzinfo is None:
        instant = at_clock(instant.date(), instant.time(), zone or ZoneInfo("UTC"))
    return instant.astimezone(UTC)


async def plan(
    prepared: PreparedRequest,
    directory: Directory,
    starts_at: datetime,
    signing: Mapping[str, str],
    zone: ZoneInfo | None,
) -> RequestPlan:
    """One branch for each further signer in time. `Refusal` for an unknown signer in `signing`; `FileFaults` for a
    request that is over by `starts_at`.
    """
    if prepared.overdue is not None:
        raise prepared.overdue
    brief = prepared.request.brief
    signing = {_at_position(person, brief.at_core.people): duration for person, duration in signing.items()}
    acting = {participant.person for participant in (*brief.people, *brief.reviewers)}
    if strangers := [person for person in signing if person not in acting]:
        raise Refusal(f"{', '.join(strangers)}: not a signer of this request")
    planned_directory = PlannedDirectory(directory, prepared.signers)
    unreviewed = (
        [await _branch(prepared, planned_directory, starts_at, {}, zone, reviewed=False)] if brief.reviewers else []
    )
    branches = unreviewed + [
        await _branch(prepared, planned_directory, starts_at, signing_prefix, zone)
        for signing_prefix in _growing_prefixes(signing)
    ]
    schedule = await Rehearsal(prepared.request, starts_at, planned_directory, {}).first_schedule()
    return RequestPlan(
        id=brief.id,
        kind=brief.kind,
        document=brief.title,
        at=starts_at,
        due_at=schedule.due_at,
        closes_at=schedule.over_at,
        policy=tuple(_values(prepared.resolved)),
        branches=tuple(branches),
        channels={
            signer.person: await _channel_without_push(planned_directory, signer.person) for signer in brief.people
        },
    )


def policy_fields(policy: Policy) -> Iterator[tuple[str, Any]]:
    """Every value of a policy by its path: `escalation.after`."""
    return _fields(policy.model_dump(mode="json", by_alias=True))


def line_of(happening: RehearsedEvent, zone: ZoneInfo, layer: str | None = None) -> PlanLine:
    return PlanLine(
        at=happening.at,
        local=happening.at.astimezone(zone).isoformat(timespec="minutes"),
        zone=zone.key,
        stage=happening.stage,
        person=happening.person,
        to=happening.to,
        reasons=happening.reasons,
        layer=layer,
        suppressed=happening.suppressed,
    )


class ChangeKindOfAction(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"


class ScheduleChange(_WithReasons):
    """A changed notice: `before` and `after` are its instants."""

    what: ChangeKindOfAction
    stage: str
    person: str
    to: str
    before: AwareDatetime | None = None
    after: AwareDatetime | None = None


class PolicyChange(Model):
    field: str
    before: Any
    after: Any


class Difference(Model):
    """The answer of `request plan --against`; only future notices are compared."""

    id: str
    due_before: AwareDatetime
    due_after: AwareDatetime
    policy: tuple[PolicyChange, ...] = ()
    changes: tuple[ScheduleChange, ...] = ()


async def compare(context: Context, prepared: PreparedRequest, directory: Directory, id: str) -> Difference:
    """`Refusal` if the request does not wait for signers, or no worker answers; `FileFaults` for a past due date."""
    if prepared.overdue is not None:
        raise prepared.overdue
    planning = await _planning(context, request_id(id))
    if planning.within:
        raise Refusal(f"{planning.subject.id}: nothing can be compared while it is in review")
    if not planning.turns:
        raise Refusal(f"{planning.subject.id}: nothing can be compared, it is nobody's turn: not sent yet, or ended")
    changed_planning = planning.replace(policy=prepared.request.policy, due=prepared.request.due)
    planner = PolicyPlanner(directory)
    now, changed_schedule = await planner.calendar(planning), await planner.calendar(changed_planning)
    return Difference(
        id=planning.subject.id,
        due_before=now.due_at,
        due_after=changed_schedule.due_at,
        policy=tuple(_policy_changes(planning, changed_planning)),
        changes=tuple(
            sorted(
                _changes(now, changed_schedule, planning),
                key=lambda change: change.after or change.before or now.due_at,
            )
        ),
    )


def _at_position(typed: str, people: Sequence[Participant]) -> str:
    """The id at the position of `signer-2`; other words unchanged."""
    position = position_of(typed)
    return people[position - 1].person if position and position <= len(people) else typed


async def _channel_without_push(directory: Directory, id: str) -> Channel:
    return Channel.MAIL if (await directory.person(id)).email else Channel.SMS


def _growing_prefixes(signing: Mapping[str, str]) -> Iterator[dict[str, str]]:
    names = list(signing)
    for count in range(len(names) + 1):
        yield {name: signing[name] for name in names[:count]}


async def _branch(
    prepared: PreparedRequest,
    directory: Directory,
    starts_at: datetime,
    signing: Mapping[str, str],
    zone: ZoneInfo | None,
    *,
    reviewed: bool = True,
) -> Branch:
    rehearsal = Rehearsal(prepared.request, starts_at, directory, signing, reviewed=reviewed)
    outcome, happenings = await rehearsal.play()
    lines = []
    for happening in happenings:
        local_zone = zone or (await directory.person(happening.to, prepared.request.brief.workflow_id)).tz
        lines.append(line_of(happening, local_zone, _layer(happening, prepared)))
    reviewers = frozenset(reviewer.person for reviewer in prepared.request.brief.reviewers)
    title = _branch_title(signing, outcome, reviewers) if reviewed else "nobody reviews it"
    return Branch(says=title, outcome=outcome, lines=tuple(lines))


def _branch_title(signing: Mapping[str, str], outcome: Status, reviewers: frozenset[str]) -> str:
    if not signing:
        return "its reviewers approve it, and nobody else acts" if reviewers else "nobody acts"
    actions = ", ".join(
        f"{person} {'approves' if person in reviewers else 'signs'} after {duration_words(duration)}"
        for person, duration in signing.items()
    )
    return actions if outcome is Status.SIGNED else f"{actions}, then nobody acts"


def _layer(happening: RehearsedEvent, prepared: PreparedRequest) -> str | None:
    """The layer that causes it; a due date of the request itself is above them all."""
    field = "reminders.first" if happening.stage == stages.reminder(1) else _FIELDS.get(happening.kind)
    if happening.kind is ActionType.EXPIRE and prepared.request.policy.grace == WHEN_DUE:
        return REQUEST if prepared.request.due is not None else prepared.resolved.layer("window")
    return prepared.resolved.layer(field) if field else None


def _values(resolved: ResolvedPolicy) -> Iterator[PolicyValue]:
    for field, value in policy_fields(resolved.policy):
        yield PolicyValue(field=field, value=value, layer=resolved.layer(field))


def _fields(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _fields(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


async def _planning(context: Context, id: str) -> PlanningInput:
    handle = context.client.get_workflow_handle(Kind.REQUEST.workflow_id(id))
    try:
        if (await runs.described(context.client, handle.id)).status is RunStatus.PAUSED:
            raise Refusal(f"{id}: the workflow is paused in Temporal, so nothing can be compared: unpause it")
        planning: PlanningInput = await handle.query(names.PLANNING, result_type=PlanningInput, rpc_timeout=_WITHIN)
    except WorkflowQueryFailedError as failure:
        raise Refusal(f"{id}: it does not say what it is planned from: {failure}") from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise Refusal(f"{id} is not a request that Temporal knows") from None
        raise Refusal(f"{id}: no worker answers, so nothing can be compared") from None
    return planning


def _policy_changes(planning: PlanningInput, changed_planning: PlanningInput) -> Iterator[PolicyChange]:
    old_fields, new_fields = dict(policy_fields(planning.policy)), dict(policy_fields(changed_planning.policy))
    for field in dict.fromkeys([*old_fields, *new_fields]):
        if old_fields.get(field) != new_fields.get(field):
            yield PolicyChange(field=field, before=old_fields.get(field), after=new_fields.get(field))


def _changes(now: Schedule, changed_schedule: Schedule, planning: PlanningInput) -> Iterator[ScheduleChange]:
    old_actions, new_actions = _future_actions(now, planning), _future_actions(changed_schedule, planning)
    for key in dict.fromkeys([*old_actions, *new_actions]):
        old_action, new = old_actions.get(key), new_actions.get(key)
        if old_action is None and new is not None:
            yield _change(ChangeKindOfAction.ADDED, new, after=new.at)
        elif new is None and old_action is not None:
            yield _change(
                ChangeKindOfAction.REMOVED, _as_suppressed(changed_schedule, old_action), before=old_action.at
            )
        elif old_action is not None and new is not None and (old_action.at, old_action.to) != (new.at, new.to):
            yield _change(ChangeKindOfAction.MOVED, new, before=old_action.at, after=new.at)


def _future_actions(schedule: Schedule, planning: PlanningInput) -> dict[tuple[str, str], ScheduledAction]:
    return {(action.stage, action.person): action for action in schedule.actions if action.at > planning.now}


def _as_suppressed(changed_schedule: Schedule, old_action: ScheduledAction) -> ScheduledAction:
    """The action as suppressed by the new plan, with the reason, else as it was."""
    return next(
        (
            dropped_action
            for dropped_action in changed_schedule.dropped
            if (dropped_action.stage, dropped_action.person) == (old_action.stage, old_action.person)
        ),
        old_action,
    )


def _change(change_kind: ChangeKindOfAction, action: ScheduledAction, **instants: Any) -> ScheduleChange:
    return ScheduleChange(
        what=change_kind, stage=action.stage, person=action.person, to=action.to, reasons=action.reasons, **instants
    )
