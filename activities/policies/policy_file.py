"""A policy in a catalogue layer or request file: unset fields come from below. Unsupported content is refused."""

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from activities.calendar.calendar import clock_hours, length
from activities.files.fields import Id, Name, Retention, Span, SpanOrNone, Url, WorkflowId
from activities.files.reading import FileModel
from activities.files.yaml_lines import FieldPath
from activities.policies.cascade import REQUEST, ResolvedPolicy
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message
from workflows.model.policy import OVERDUE_AT_MOST, ROUNDS_AT_MOST, Escalation, EscalationAction, EvidenceLevel, Format
from workflows.model.subject import Identity, LockScreen, Status
from workflows.names import QUEUES

_SPAN: Final = re.compile(r"[1-9][0-9]{0,3}[mhdw]")
FIELDS_AT_MOST: Final = 50
"""Values that a target fills into an onboarding file."""
_BESIDE: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}\.(yaml|yml|json)")
_SHARE: Final = re.compile(r"[1-9][0-9]?%")
_ENDPOINT: Final = r"[A-Za-z]([A-Za-z0-9-]{0,198}[A-Za-z0-9])?"
ARCHIVES: Final = ("s3", "file")
ARCHIVED_BY: Final = ("kind", "id", "outcome", "year", "month", "day")
_WAYS: Final = ("person", "group", "url", "workflow", "start", "nexus", "archive")
Occasion: TypeAlias = Literal[
    Status.SIGNED,
    Status.DONE,
    Status.DONE_WITH_ERRORS,
    Status.WAIVED,
    Status.DECLINED,
    Status.EXPIRED,
    Status.CANCELLED,
    Status.FAILED,
    "escalated",
]
ChainLink: TypeAlias = Literal["alternates", "delegate", "manager"]
PolicyFaults: TypeAlias = Iterator[tuple[FieldPath, Message]]
"""Fields of the policy, each with what is wrong."""


def _trigger(text: str) -> str:
    if text != "used-up" and not _SPAN.fullmatch(text) and not _SHARE.fullmatch(text):
        raise FileFault.NO_TRIGGER.error()
    return text


Trigger: TypeAlias = Annotated[str, AfterValidator(_trigger)]


class ReminderLayer(FileModel):
    first: Span | None = None
    every: Span | None = None
    most: int | None = Field(default=None, ge=1, le=50)


class OverdueLayer(FileModel):
    """Reminders after the due date."""

    every: Span | None = None
    most: int | None = Field(default=None, ge=1, le=OVERDUE_AT_MOST)
    escalate: bool | None = None


class EscalationLayer(FileModel):
    after: Trigger | None = None
    or_: Trigger | None = Field(default=None, alias="or")
    action: EscalationAction | None = None
    to: tuple[ChainLink, ...] | None = None
    alternates: tuple[Id, ...] | None = Field(default=None, max_length=20)
    depth: int | None = Field(default=None, ge=1, le=3)
    fallback: Id | None = None


class QuestionLayer(FileModel):
    """How long a question pauses the clocks."""

    pause: Span | None = None


def _share_or_span(text: str) -> str:
    if not _SPAN.fullmatch(text) and not _SHARE.fullmatch(text):
        raise FileFault.NO_SHARE.error()
    return text


class ReviewLayer(FileModel):
    """Rounds of review, and when each is due."""

    most: int | None = Field(default=None, ge=1, le=ROUNDS_AT_MOST)
    within: Annotated[str, AfterValidator(_share_or_span)] | None = None


def _known_telling(written: object) -> object:
    if written == "digest":
        raise FileFault.NO_DIGEST.error()
    return written


class TellRequesterLayer(FileModel):
    """What the requester is notified of."""

    started: bool | None = None
    signed: Annotated[bool | None, BeforeValidator(_known_telling)] = None


def _beside_the_catalogue(name: str) -> str:
    if not _BESIDE.fullmatch(name):
        raise FileFault.NO_FILE_BESIDE.error()
    return name


def _not_our_queue(queue: str) -> str:
    if queue in QUEUES:
        raise FileFault.OUR_QUEUE.error()
    return queue


class StartEntry(FileModel):
    """What an ending starts."""

    onboarding: Annotated[str, AfterValidator(_beside_the_catalogue)] | None = None
    fields: dict[Name, Name] = Field(default={}, max_length=FIELDS_AT_MOST)
    workflow: WorkflowId | None = None
    queue: Annotated[WorkflowId, AfterValidator(_not_our_queue)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.onboarding is None) == (self.workflow is None):
            raise FileFault.EXACTLY_ONE.error(fields="onboarding (a file), workflow (its type, with queue)")
        if (self.workflow is None) != (self.queue is None):
            raise FileFault.WORKFLOW_WITHOUT_QUEUE.error()
        if self.fields and self.onboarding is None:
            raise FileFault.FIELDS_FOR_WORKFLOW.error()
        return self


def _endpoint(name: str) -> str:
    if not re.fullmatch(_ENDPOINT, name):
        raise FileFault.NO_ENDPOINT.error()
    return name


class OperationEntry(FileModel):
    """The Nexus operation that an ending calls."""

    endpoint: Annotated[str, AfterValidator(_endpoint)]
    service: WorkflowId
    operation: WorkflowId


def _of_an_archive(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ARCHIVES or parts.query or parts.fragment or ".." in parts.path.split("/"):
        raise FileFault.NO_ARCHIVE.error(schemes=", ".join(f"{scheme}://" for scheme in ARCHIVES))
    if parts.password:
        raise FileFault.PASSWORD_IN_FILE.error()
    return url


def _below_it(path: str) -> str:
    try:
        filled = path.format(**dict.fromkeys(ARCHIVED_BY, "x"))
    except (LookupError, ValueError):
        filled = ""
    if not re.fullmatch(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*\.pdf", filled):
        raise FileFault.NO_ARCHIVE_PATH.error(example="{kind}/{year}/{id}.pdf", names=", ".join(ARCHIVED_BY))
    if "{id}" not in path:
        raise FileFault.PATH_WITHOUT_ID.error(place="{id}")
    return path


class ArchiveEntry(FileModel):
    """Where the signed document is written."""

    url: Annotated[str, Field(max_length=1000), AfterValidator(_of_an_archive)]
    path: Annotated[str, Field(max_length=200), AfterValidator(_below_it)] = "{kind}/{year}/{id}.pdf"

    @model_validator(mode="before")
    @classmethod
    def _with_path(cls, entry: Any) -> Any:
        # A layer passes on only what is set.
        return {"path": cls.model_fields["path"].default, **entry} if isinstance(entry, dict) else entry


class TargetEntry(FileModel):
    """Who is told of an ending, and how."""

    target: Id
    person: Id | None = None
    group: Id | None = None
    url: Url | None = None
    workflow: WorkflowId | None = None
    start: StartEntry | None = None
    nexus: OperationEntry | None = None
    archive: ArchiveEntry | None = None
    on: tuple[Occasion, ...] = Field(default=(), min_length=1)
    personal: bool = False
    format: Format = Format.STANDARD
    attach: bool = False

    @field_validator("attach")
    @classmethod
    def _with_a_call_only(cls, attach: bool, info: ValidationInfo) -> bool:
        if attach and info.data.get("url", ...) is None:
            raise FileFault.WITHOUT_URL.error()
        return attach

    @field_validator("personal")
    @classmethod
    def _in_a_call_only(cls, personal: bool, info: ValidationInfo) -> bool:
        if personal and info.data.get("url", ...) is None:
            raise FileFault.WITHOUT_URL.error()
        return personal

    @field_validator("format")
    @classmethod
    def _of_a_call_only(cls, format: Format, info: ValidationInfo) -> Format:
        if format is not Format.STANDARD and info.data.get("url", ...) is None:
            raise FileFault.WITHOUT_URL.error()
        return format

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(getattr(self, way) is not None for way in _WAYS) != 1:
            raise FileFault.EXACTLY_ONE.error(fields=", ".join(_WAYS))
        if self.start and self.start.workflow and "." in self.target:
            raise FileFault.TARGET_WITH_DOT.error(target=self.target)
        return self


def _opening_hours(text: str) -> str:
    if text not in ("working", "any"):
        try:
            clock_hours(text)
        except ValueError:
            raise FileFault.NO_HOURS.error() from None
    return text


class PolicyLayer(FileModel):
    """One layer of the cascade: unset comes from below, `null` removes that."""

    window: Span | None = None
    reminders: ReminderLayer | None = None
    warnings: tuple[SpanOrNone, ...] | None = Field(default=None, max_length=10)
    overdue: OverdueLayer | None = None
    grace: SpanOrNone | None = None
    expires: bool | None = None
    hours: Annotated[str, AfterValidator(_opening_hours)] | None = None
    urgent: bool | None = None
    lock_screen: LockScreen | None = None
    identity: Identity | None = None
    escalation: EscalationLayer | None = None
    handoff: tuple[TargetEntry, ...] | None = Field(default=None, max_length=50)
    snooze: Annotated[int, Field(ge=0, le=20)] | None = None
    self_delegate: bool | None = None
    question: QuestionLayer | None = None
    review: ReviewLayer | None = None
    tell_requester: TellRequesterLayer | None = None
    fallback_after: Span | None = None
    evidence: EvidenceLevel | None = None
    keep: Retention | None = None

    @field_validator("warnings")
    @classmethod
    def _each_once(cls, warnings: tuple[SpanOrNone, ...] | None) -> tuple[SpanOrNone, ...] | None:
        if twice := sorted({ahead for ahead in warnings or () if (warnings or ()).count(ahead) > 1}):
            raise FileFault.GIVEN_TWICE.error(name=twice[0])
        return warnings

    @field_validator("handoff")
    @classmethod
    def _told_apart(cls, targets: tuple[TargetEntry, ...] | None) -> tuple[TargetEntry, ...] | None:
        names = [target.target for target in targets or ()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise FileFault.GIVEN_TWICE.error(name=twice[0])
        return targets


def find_senseless_settings(resolved: ResolvedPolicy, time_left: timedelta | None = None) -> PolicyFaults:
    """What cannot work for any signer; `within` is the time until the request's own due date."""
    yield from _too_late(resolved, time_left)
    yield from _after_closing(resolved)
    if resolved.policy.self_delegate and resolved.policy.identity is not Identity.LINK:
        yield ("self_delegate",), FileFault.HANDED_OVER_UNPROVEN.to_message(identity=resolved.policy.identity)
    escalation = resolved.policy.escalation
    if escalation is None:
        return
    if resolved.policy.reminders is None and {escalation.after, escalation.or_} <= {"used-up", None}:
        yield ("escalation", "after"), FileFault.NEVER_USED_UP.to_message()
    if not _reachable(escalation):
        yield ("escalation",), FileFault.NOBODY_TO_ESCALATE_TO.to_message()


def find_self_serving_settings(resolved: ResolvedPolicy, asking: str | None, asked_ids: frozenset[str]) -> PolicyFaults:
    """What cannot work for this requester and those asked: nobody is their own alternate."""
    escalation = resolved.policy.escalation
    if escalation is None:
        return
    if asking in escalation.alternates and resolved.layer("escalation.alternates") == REQUEST:
        yield ("escalation", "alternates"), FileFault.OWN_ALTERNATE.to_message(person=asking)
    elif set(escalation.to) == {"alternates"} and escalation.alternates and _named(escalation) <= {asking, *asked_ids}:
        yield ("escalation", "alternates"), FileFault.NO_OTHER_ALTERNATE.to_message()


def _too_late(resolved: ResolvedPolicy, time_left: timedelta | None) -> PolicyFaults:
    policy, room = resolved.policy, _TimeToDueDate(resolved, time_left)
    if (reminders := policy.reminders) is not None:
        last = length(reminders.first) + (reminders.most - 1) * length(reminders.every)
        parts = ("reminders.first", "reminders.every", "reminders.most")
        if room.lacks(last, parts):
            span = _in_full_units(last)
            late = FileFault.REMINDERS_PASS_DUE.to_message(span=span, most=reminders.most, window=room.window)
            yield ("reminders",), late
    for ahead in policy.warnings:
        if room.lacks(length(ahead), ("warnings",)):
            yield ("warnings",), FileFault.WARNING_PASSES_DUE.to_message(span=ahead, window=room.window)
    if policy.fallback_after and room.lacks(length(policy.fallback_after), ("fallback_after",)):
        yield ("fallback_after",), FileFault.PASSES_DUE.to_message(span=policy.fallback_after, window=room.window)
    for name, trigger in _timed(policy.escalation):
        if room.lacks(length(trigger), (f"escalation.{name}",)):
            yield ("escalation", name), FileFault.PASSES_DUE.to_message(span=trigger, window=room.window)


def _after_closing(resolved: ResolvedPolicy) -> PolicyFaults:
    """Overdue reminders need a grace period, which one layer must provide."""
    overdue, grace = resolved.policy.overdue, resolved.policy.grace
    if overdue is None or not resolved.policy.expires:
        return
    reminder_count = length(grace) // length(overdue.every)
    highest_rank = max(resolved.rank(resolved.layer(part)) for part in ("overdue.every", "overdue.most"))
    if length(overdue.every) >= length(grace) and highest_rank >= resolved.rank(resolved.layer("grace")):
        yield ("overdue",), FileFault.OVERDUE_AFTER_CLOSING.to_message(span=overdue.every, grace=grace)
    if overdue.most is None and reminder_count > OVERDUE_AT_MOST:
        yield (
            ("overdue", "every"),
            FileFault.TOO_MANY_OVERDUE.to_message(count=reminder_count, grace=grace, most=OVERDUE_AT_MOST),
        )


def _timed(escalation: Escalation | None) -> Iterator[tuple[str, str]]:
    triggers = (("after", escalation.after), ("or", escalation.or_)) if escalation else ()
    for name, trigger in triggers:
        if trigger is not None and trigger != "used-up" and not trigger.endswith("%"):
            yield name, trigger


class _TimeToDueDate:
    """The time until the due date, and the layer that sets it."""

    def __init__(self, resolved: ResolvedPolicy, time_left: timedelta | None) -> None:
        self._resolved = resolved
        self._time = length(resolved.policy.window) if time_left is None else time_left
        self.window = resolved.policy.window if time_left is None else _in_full_units(time_left)
        self._rank = resolved.rank(REQUEST) if time_left is not None else resolved.rank(resolved.layer("window"))

    def lacks(self, time: timedelta, parts: Iterable[str]) -> bool:
        """Whether the parts take longer, and a layer that knew the time says so."""
        highest_rank = max(self._resolved.rank(self._resolved.layer(part)) for part in parts)
        return time >= self._time and highest_rank >= self._rank


def _reachable(escalation: Escalation) -> bool:
    asks = [link for link in escalation.to if link != "alternates" or escalation.alternates]
    return bool(asks) or escalation.fallback is not None


def _named(escalation: Escalation) -> set[str]:
    return {*escalation.alternates, *([escalation.fallback] if escalation.fallback else [])}


def _in_full_units(time: timedelta) -> str:
    """In whole days, else hours, else minutes, at least one."""
    units = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1)))
    return next((f"{time // unit}{letter}" for letter, unit in units if time >= unit), "1m")
