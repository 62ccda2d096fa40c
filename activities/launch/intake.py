"""Checks shared by all files that start something (request, task, onboarding, campaign)."""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, NamedTuple, Self, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from activities.calendar.calendar import clock_hours, latest_end_of_day
from activities.errors import ID_PATTERN
from activities.files.fields import DayOrInstant, Email, Id, KindId, LocaleTag, Name, Phone, WorkflowId, Zone, zones
from activities.files.reading import FileFaults, FileModel, FileText, PlainFile, written_path
from activities.files.yaml_lines import FieldPath
from activities.people.directory import TEAM_AT_MOST, Directory, UnknownGroup, UnknownPerson
from activities.people.ids import contact_address, stands_in_full
from activities.people.mailbox import NO_SUBSTITUTES, MailboxSubstitutes
from activities.people.person import USUAL_HOURS, Person, PushDevice, Reachable
from activities.policies.cascade import REQUEST, ResolvedPolicy
from activities.policies.catalogue import Catalogue, UnknownKind
from activities.policies.policy_file import PolicyFaults, PolicyLayer, find_self_serving_settings
from workflows.follow_up.next_step import HORIZON
from workflows.kinds import Kind, kinds
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message
from workflows.model.policy import Policy
from workflows.model.subject import group_of, group_word

PEOPLE_AT_MOST: Final = 100
"""Who is asked to sign, to review or to do something."""
Value = TypeVar("Value")
_IN_FULL: Final = ("name", "email", "zone", "locale", "phone", "devices")
_TO_ALL: Final = ":all"
"""Behind the word of a group whose rule is `all`."""
_ASKS: Final = re.compile(rf"{ID_PATTERN}|group:{ID_PATTERN}(?:{_TO_ALL})?")
_OF_PART: Final = re.compile(r".+\.[0-9]+\.[0-9]+(?:\.r[0-9]+|\.decide)*")


@dataclass(frozen=True)
class KnownPersons:
    """The persons that a file names: who exists, and why the others do not."""

    persons: Mapping[str, Person]
    unknown: Mapping[str, Message]

    @classmethod
    async def look_up(cls, directory: Directory, ids: Collection[str]) -> Self:
        """Look all of them up; `DirectoryFailure` if the directory does not answer."""
        answers = await asyncio.gather(*(_person_or_why(directory, id) for id in sorted(ids)))
        return cls(
            {person.id: person for person in answers if isinstance(person, Person)},
            {missing.id: missing.message for missing in answers if isinstance(missing, UnknownPerson)},
        )


class Team(NamedTuple):
    """The people of a group except the one who asks, or why none of them can be asked."""

    members: tuple[str, ...] = ()
    refused: Message | None = None

    @classmethod
    async def look_up(
        cls, directory: Directory, name: object, asking: frozenset[object], *, most: int = PEOPLE_AT_MOST
    ) -> Self:
        """Without those who ask."""
        if not isinstance(name, str):
            return cls()
        try:
            members = tuple(id for id in await directory.group(name) if id not in asking)
        except UnknownGroup as unknown:
            return cls(refused=unknown.message)
        if not members:
            return cls(refused=FileFault.GROUP_OF_ASKER.to_message(group=name))
        if len(members) > most:
            return cls(refused=FileFault.CROWD.to_message(group=name, count=len(members), most=most))
        for person in (await KnownPersons.look_up(directory, members)).persons.values():
            if refusal := directory.substitutes.refusal(person.email, person.phone):
                return cls(refused=FileFault.MEMBER_UNREACHABLE.to_message(person=person.id, group=name, why=refusal))
        return cls(members)


class ConcernedPersons(NamedTuple):
    """The requester and those who are asked, as far as the file is valid."""

    asking: str | None
    asked_ids: frozenset[str]


async def _person_or_why(directory: Directory, id: str) -> Person | UnknownPerson:
    try:
        if group := group_of(id):
            _refuse_crowd(id, group, len(await directory.group(group)))
        return await directory.person(id)
    except UnknownPerson as missing:
        return missing
    except UnknownGroup as missing:
        return _UnusableTeam(id, missing.message)


class _UnusableTeam(UnknownPerson):
    """A group that cannot ask for anything, and why."""

    def __init__(self, team: str, message: Message) -> None:
        super().__init__(team)
        self.message = message

    def __str__(self) -> str:
        return self.message.english


def _refuse_crowd(team: str, group: str, members: int) -> None:
    if members > TEAM_AT_MOST:
        raise _UnusableTeam(team, FileFault.CROWD.to_message(group=group, count=members, most=TEAM_AT_MOST))


@dataclass
class FileChecks(ABC):
    """Context of a file's field validators, collecting valid values, persons asked, and whether the due date is
    over.
    """

    made_of: ClassVar[frozenset[str]] = frozenset({"kind", "policy", "due"})
    """The fields that determine its policy."""
    closes: ClassVar[bool] = True
    """Whether it ends some day, whatever its policy says."""

    catalogue: Catalogue
    persons: KnownPersons
    closing: tuple[tuple[ZoneInfo, time], ...]
    now: datetime
    overdue: bool = field(default=False, kw_only=True)
    right: dict[str, Any] = field(default_factory=dict, kw_only=True)
    asked_already: set[str] = field(default_factory=set, kw_only=True)
    substitutes: MailboxSubstitutes = field(default=NO_SUBSTITUTES, kw_only=True)

    @property
    @abstractmethod
    def concerned(self) -> ConcernedPersons:
        """The persons whom the policy must not contradict."""

    @property
    def layer(self) -> PolicyLayer | None:
        layer: PolicyLayer | None = self.right["policy"]
        return layer

    def kind(self, kind: str) -> str:
        """Refuse a kind that the catalogue does not have."""
        try:
            return self.catalogue.require_kind(kind, closes=self.closes)
        except UnknownKind as unknown:
            raise ValueError(unknown.message) from None

    def person(self, id: str) -> Person:
        """Refuse a person whom the directory does not have."""
        if id in self.persons.unknown:
            raise ValueError(self.persons.unknown[id])
        person = self.persons.persons[id]
        self.refuse_unreachable(person.email, person.phone)
        return person

    def refuse_unreachable(self, email: str | None, phone: str | None, *, signs: bool = False) -> None:
        """Refuse somebody without a mailbox where nothing takes its place."""
        if refusal := self.substitutes.refusal(email, phone, signs=signs):
            raise ValueError(refusal)

    def refuse_repeated(self, identity: str, repeated: Message) -> None:
        """Refuse a second asked person with the same id or address."""
        if identity in self.asked_already:
            raise ValueError(repeated)
        self.asked_already.add(identity)

    def due(self, due: date | datetime) -> None:
        """Refuse one too far away; remember a past one, which a started request may have."""
        day = self.refuse_distant(due)
        self.overdue = day < (self.now - timedelta(days=2)).date() or self._instant(due) <= self.now

    def refuse_distant(self, day_or_instant: date | datetime) -> date:
        """The day; refuses one too far away."""
        day = day_or_instant.date() if isinstance(day_or_instant, datetime) else day_or_instant
        if day > (self.now + HORIZON).date():
            raise FileFault.DISTANT_DAY.error()
        return day

    def time_until(self, due: date | datetime) -> timedelta:
        return self._instant(due) - self.now

    def _instant(self, due: date | datetime) -> datetime:
        return due if isinstance(due, datetime) else latest_end_of_day(due, self.closing)


def maps(plain: Any, field: str) -> Iterator[dict[str, Any]]:
    """The entries of a list of an unvalidated file, without those that are no maps."""
    items = plain.get(field) if isinstance(plain, dict) else None
    return (item for item in items if isinstance(item, dict)) if isinstance(items, list) else iter(())


def closing_times(entries: Iterable[Mapping[str, Any]], persons: KnownPersons) -> tuple[tuple[ZoneInfo, time], ...]:
    """Ends of the working days of those asked, as far as known before validation."""
    ends = []
    for entry in entries:
        person, zone = persons.persons.get(str(entry.get("person"))), entry.get("zone")
        if person is not None:
            ends.append((person.tz, person.working_hours[1]))
        elif isinstance(zone, str) and zone in zones():
            ends.append((ZoneInfo(zone), clock_hours(USUAL_HOURS)[1]))
    return tuple(ends)


async def strangers(policy: Policy, directory: Directory) -> list[tuple[FieldPath, Message]]:
    """Fields of a policy that name unknown persons or groups, each with the reason."""
    named = list(_persons(policy))
    unknown = (await KnownPersons.look_up(directory, frozenset(id for _, id in named))).unknown
    persons = [(field_path, unknown[id]) for field_path, id in named if id in unknown]
    return [*persons, *[group async for group in _unknown_groups(policy, directory)]]


def checks_of(info: ValidationInfo) -> FileChecks:
    if not isinstance(info.context, FileChecks):
        raise TypeError("a file is validated with what it is checked against")
    return info.context


def right(value: Value, info: ValidationInfo) -> Value:
    """Record a valid field's value for the policy checks, which run even if other fields are faulty."""
    checks_of(info).right[str(info.field_name)] = value
    return value


def _in_directory(id: str, info: ValidationInfo) -> str:
    return checks_of(info).person(id).id


PersonId = Annotated[Id, AfterValidator(_in_directory)]


class GroupRule(StrEnum):
    """Of a group that reviews or asks: whether the first of it acts for all, or each hears and is asked."""

    FIRST = "first"
    ALL = "all"


def asking_word(written: object) -> object:
    """`group:sales` or `group:sales:all` for `{group: sales, rule: …}`, as it stands in tables; else as written."""
    if not isinstance(written, dict):
        return written
    if strangers := written.keys() - {"group", "rule"}:
        raise FileFault.NO_FIELD_OF_GROUP.error(field=min(map(str, strangers)))
    group, rule = written.get("group"), written.get("rule", GroupRule.FIRST)
    if not isinstance(group, str) or not re.fullmatch(ID_PATTERN, group):
        raise FileFault.NO_GROUP_NAME.error()
    if rule not in list(GroupRule):
        raise FileFault.NO_RULE.error(rules=" or ".join(GroupRule))
    return f"{group_word(group)}{_TO_ALL if rule == GroupRule.ALL else ''}"


def asker_named(plain: Any, field: str) -> object:
    """The word for who asks, of an unvalidated file."""
    written = plain.get(field) if isinstance(plain, dict) else None
    try:
        return person_of(asker) if isinstance(asker := asking_word(written), str) else None
    except ValueError:
        return None


def person_of(asker: str) -> str:
    """The person, or the group as `group:<name>`, of an `AskerId`."""
    return asker.removesuffix(_TO_ALL)


def asking(asker: str) -> dict[str, Any]:
    """The fields of a subject that say who asks."""
    fields: dict[str, Any] = {"requester": person_of(asker)}
    return fields | {"notify_all": True} if asker != fields["requester"] else fields


def _persons(policy: Policy) -> Iterator[tuple[FieldPath, str]]:
    if (escalation := policy.escalation) is not None:
        for position, id in enumerate(escalation.alternates):
            yield ("escalation", "alternates", position), id
        if escalation.fallback is not None:
            yield ("escalation", "fallback"), escalation.fallback
    for position, target in enumerate(policy.handoff):
        if target.person is not None:
            yield ("handoff", position, "person"), target.person


async def _unknown_groups(policy: Policy, directory: Directory) -> AsyncIterator[tuple[FieldPath, Message]]:
    for position, target in enumerate(policy.handoff):
        try:
            await directory.group(target.group) if target.group is not None else ()
        except UnknownGroup as unknown:
            yield ("handoff", position, "group"), unknown.message


def _asker_written(asker: str) -> str:
    if not _ASKS.fullmatch(asker):
        raise FileFault.NO_ASKER.error(example="{group: sales}")
    return asker


AskerWord = Annotated[str, BeforeValidator(asking_word), AfterValidator(_asker_written)]
"""A person's id, or the word for a group; of nobody who must be known."""


def _asks(asker: str, info: ValidationInfo) -> str:
    checks_of(info).person(person_of(asker))
    return asker


AskerId = Annotated[AskerWord, AfterValidator(_asks)]
"""The same of somebody known."""


def asked_of(asker: str) -> dict[str, str]:
    """Whom a task asks that is for whoever asks for the whole."""
    group = group_of(person_of(asker))
    return {"group": group} if group else {"person": asker}


class ParticipantEntry(FileModel):
    """Somebody who is asked: by directory id, or described in full."""

    other_ways: ClassVar[tuple[str, ...]] = ()
    """Other fields that say who is asked."""

    person: Id | None = None
    name: Name | None = Field(default=None, repr=False)
    email: Email | None = Field(default=None, repr=False)
    zone: Zone | None = None
    locale: LocaleTag | None = None
    phone: Phone | None = Field(default=None, repr=False)
    devices: tuple[PushDevice, ...] | None = Field(default=None, max_length=20)

    @property
    def in_full(self) -> Reachable | None:
        """The person described in full, None for one of the directory."""
        if self.person is not None or not self.address:
            return None
        return Reachable.model_validate(self.model_dump(include=set(_IN_FULL), exclude_unset=True, by_alias=True))

    @property
    def address(self) -> str:
        return contact_address(self.email, self.phone)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = (*self.other_ways, "person")
        filled_fields = [name for name in (*ways, *_IN_FULL) if getattr(self, name) is not None]
        named, in_full = (
            [name for name in filled_fields if name in ways],
            [name for name in filled_fields if name not in ways],
        )
        if len(named) + bool(in_full) > 1:
            raise FileFault.PERSON_AND_FULL.error(field=named[0], other=(*named, *in_full)[1], fields=", ".join(ways))
        needed = ["name", *(["email"] if self.phone is None else []), "zone"]
        if not named and (missing := [name for name in needed if name not in in_full]):
            raise FileFault.PERSON_LACKS.error(fields=", ".join(ways), missing=", ".join(missing))
        return self


class AskingFile(FileModel):
    """Fields shared by all such files."""

    model_config = ConfigDict(validate_default=True)

    id: Id | None = None
    kind: KindId
    due: DayOrInstant | None = None
    policy: PolicyLayer | None = None
    subscribers: tuple[WorkflowId, ...] = Field(default=(), max_length=50)

    @field_validator("kind")
    @classmethod
    def _in_catalogue(cls, kind: str, info: ValidationInfo) -> str:
        return checks_of(info).kind(kind)

    @field_validator("due")
    @classmethod
    def _still_to_come(cls, due: date | datetime | None, info: ValidationInfo) -> date | datetime | None:
        if due is not None:
            checks_of(info).due(due)
        return due

    _right = field_validator("kind", "due", "policy", "subscribers")(right)


File = TypeVar("File", bound=AskingFile)


class CheckedPolicy(NamedTuple):
    """The policy of a valid file; `overdue` says why it can be recognised but no longer started."""

    resolved: ResolvedPolicy
    overdue: FileFaults | None


async def validate_file_and_policy(
    plain: PlainFile, model: type[File], checks: FileChecks, directory: Directory, *, of_parent: bool = False
) -> tuple[File, CheckedPolicy]:
    """The validated file; `FileFaults` with all faults, `DirectoryFailure` if persons cannot be looked up. Only one
    `of_parent` may have an id that an onboarding or campaign gives.
    """
    file, faults = await asyncio.to_thread(_validated, plain, model, checks)
    if file and file.id and not of_parent and await _is_given_by_parent(file.id, directory):
        faults += plain.faults([(("id",), FileFault.ID_OF_PARENT.to_message(id=file.id))])
    overdue = plain.faults([(("due",), FileFault.PAST_DAY.to_message())] if checks.overdue else ())
    if (policy := FilePolicy.from_checks(checks)) is not None:
        faults += plain.faults(await policy.faults(directory))
    if file is None or policy is None or faults.faults:
        raise faults + overdue
    return file, CheckedPolicy(policy.resolved, overdue if overdue.faults else None)


@dataclass(frozen=True)
class FilePolicy:
    """The policy of a file whose kind, policy and due date are valid, whatever else is wrong."""

    checks: FileChecks
    resolved: ResolvedPolicy

    @classmethod
    def from_checks(cls, checks: FileChecks) -> Self | None:
        """The policy of the file, None if unknown."""
        if not checks.right.keys() >= checks.made_of:
            return None
        return cls(checks, checks.catalogue.resolve(checks.right["kind"], checks.layer))

    async def faults(self, directory: Directory) -> list[tuple[FieldPath, Message]]:
        """Fields that make the policy impossible, each with the reason; raises `DirectoryFailure`."""
        of_the_whole = [
            *self._open_for_ever(),
            *find_self_serving_settings(self.resolved, *self.checks.concerned),
            *self.checks.catalogue.never_called(self.resolved.policy),
            *await strangers(self.resolved.policy, directory),
        ]
        return [
            *self._senseless(),
            *(self._placed(field_path, fault) for field_path, fault in of_the_whole),
            *self._told_twice(),
        ]

    def _senseless(self) -> PolicyFaults:
        """Faults that the file causes; the kind alone was checked with its catalogue."""
        right, due = self.checks.right, self.checks.right["due"]
        time_left = None if due is None or self.checks.overdue else self.checks.time_until(due)
        for field_path, fault in self.checks.catalogue.faults(right["kind"], self.checks.layer, time_left):
            yield ("policy", *field_path), fault

    def _open_for_ever(self) -> PolicyFaults:
        if self.checks.closes and not self.resolved.policy.expires:
            yield ("expires",), FileFault.NEVER_CLOSES.to_message()

    def _placed(self, path: FieldPath, reason: Message) -> tuple[FieldPath, Message]:
        """The fault at the field that causes it: of the file's policy, or its kind."""
        kind = self.checks.right["kind"]
        layer = self.resolved.layer(".".join(step for step in path if isinstance(step, str)))
        if layer == REQUEST:
            return ("policy", *path), reason
        values = {"kind": kind, "field": written_path(path), "why": reason}
        if layer == kind:
            return ("kind",), FileFault.KIND_UNUSABLE.to_message(**values)
        return ("kind",), FileFault.KIND_ABOVE_UNUSABLE.to_message(layer=layer, **values)

    def _told_twice(self) -> PolicyFaults:
        names = (target.target for target in self.resolved.policy.handoff)
        fault_by_name = dict.fromkeys(names, FileFault.SUBSCRIBER_IS_TARGET)
        for position, subscriber in enumerate(self.checks.right.get("subscribers", ())):
            if subscriber in fault_by_name:
                yield ("subscribers", position), fault_by_name[subscriber].to_message(name=subscriber)
            fault_by_name.setdefault(subscriber, FileFault.GIVEN_TWICE)


async def read_as(kind: Kind, written: FileText | PlainFile) -> PlainFile:
    """Parse a file; `FileFaults` also for a file of another kind, naming the command that starts it."""
    plain = written if isinstance(written, PlainFile) else await asyncio.to_thread(written.parse)
    meant = [candidate for candidate in kinds() if not _fields(plain.plain).isdisjoint(candidate.spec.marks)]
    if len(meant) == 1 and kind not in meant:
        intended = meant[0]
        message = FileFault.OTHER_KIND_OF_FILE.to_message(
            other=intended.with_article, kind=kind, command=intended.spec.command
        )
        raise plain.faults([((), message)])
    return plain


async def _is_given_by_parent(id: str, directory: Directory) -> bool:
    """Whether it is `X.<number>.<number>`, or `X.<person>`, also of a further attempt or of the decision about it."""
    member = re.sub(r"\.r[0-9]+$", "", id.partition(".")[2])
    if _OF_PART.fullmatch(id) or stands_in_full(member):
        return True
    try:
        return bool(member and await directory.person(member))
    except UnknownPerson:
        return False


def _validated(plain: PlainFile, model: type[File], checks: FileChecks) -> tuple[File | None, FileFaults]:
    try:
        return plain.validate(model, checks), FileFaults(())
    except FileFaults as faults:
        return None, faults


def _fields(plain: Any) -> set[str]:
    return {*plain} if isinstance(plain, dict) else set()
