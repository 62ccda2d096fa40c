"""A person of the directory, and the people file (docs/files.md)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from math import inf
from pathlib import Path
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from activities.calendar.calendar import clock_hours, public_holidays, weekdays
from activities.errors import ID_PATTERN, did_you_mean
from activities.files.fields import (
    UTC_ZONE,
    CalendarCode,
    DeviceToken,
    Email,
    Id,
    LocaleTag,
    Moment,
    Name,
    Phone,
    Zone,
    begin,
    end,
)
from activities.files.reading import TOLD_AT_MOST, FileModel, FileText, PlainFile
from activities.people.ids import contact_address, stands_in_full
from activities.records.devices import WebSubscription
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message
from workflows.model.rejections import Rejection
from workflows.model.subject import group_of

UNSEEN_FOR: Final = timedelta(days=30)
"""A device not seen for so long may be unused: it is sent to, and another channel as well."""
USUAL_HOURS: Final = "09:00-18:00"


class Platform(StrEnum):
    ANDROID = "android"
    IOS = "ios"
    WEB = "web"


class AddressKind(StrEnum):
    """FCM's kinds of device addresses (apps are moving from registration tokens to installation ids), and ours."""

    TOKEN = "token"  # noqa: S105  a word, no secret
    FID = "fid"
    WEB = "web"
    """The endpoint of a browser's subscription, at the push service of its vendor."""


class PushDevice(FileModel):
    """A push address, which is a secret and never shown."""

    token: DeviceToken | None = Field(default=None, repr=False)
    fid: DeviceToken | None = Field(default=None, repr=False)
    platform: Platform
    registered_at: Moment | None = None
    """Last registration by the app; later than an invalid mark, it is valid again."""
    seen_at: Moment | None = None
    """When the app was last seen, if known."""

    @property
    def kind(self) -> AddressKind:
        return AddressKind.TOKEN if self.token is not None else AddressKind.FID

    @property
    def value(self) -> str:
        return self.token or self.fid or ""

    @property
    def registered(self) -> datetime | None:
        """The last registration; a bare date begins in UTC."""
        return begin(self.registered_at, UTC_ZONE) if self.registered_at else None

    @property
    def last_seen_at(self) -> datetime | None:
        """When the app was last seen; a bare date begins in UTC."""
        return begin(self.seen_at, UTC_ZONE) if self.seen_at else None

    def unseen(self, now: datetime) -> bool:
        """Whether its app was not seen for long; False if unknown."""
        return self.last_seen_at is not None and now - self.last_seen_at >= UNSEEN_FOR

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.token is None) is (self.fid is None):
            raise FileFault.EXACTLY_ONE.error(fields="token, fid")
        return self


class WebDevice(PushDevice):
    """A browser that a person subscribed at the desk; never in a people file."""

    platform: Platform = Platform.WEB
    subscription: WebSubscription = Field(repr=False)

    @property
    def kind(self) -> AddressKind:
        return AddressKind.WEB

    @property
    def value(self) -> str:
        return self.subscription.endpoint

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        return self


class Absence(FileModel):
    """A time in which a person cannot act; bare dates are whole days in their zone."""

    from_: Moment = Field(alias="from")
    until: Moment

    def span(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Its first instant, and the first one after it."""
        return begin(self.from_, zone), end(self.until, zone)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if begin(self.from_, UTC_ZONE) >= end(self.until, UTC_ZONE):
            raise ValueError(Rejection.ENDS_BEFORE.to_message())
        return self

    def is_of(self, kind: str) -> bool:
        """Whether they cannot act on this kind of the catalogue."""
        return True

    @property
    def breadth(self) -> float:
        """For how many kinds it is."""
        return inf

    @property
    def substitute(self) -> str | None:
        """Who acts instead; None for the person's delegate."""
        return None

    @property
    def was_entered(self) -> bool:
        """By somebody, beside the file."""
        return False


class EnteredAbsence(Absence):
    """One that somebody entered (activities/people/absences.py); it says more than one of the file: who acts, and for
    which kinds, none for all.
    """

    id: str
    acts: Id | None = None
    kinds: tuple[Id, ...] = ()

    def is_of(self, kind: str) -> bool:
        return not self.kinds or kind in self.kinds

    @property
    def breadth(self) -> float:
        return len(self.kinds) or inf

    @property
    def substitute(self) -> str | None:
        return self.acts

    @property
    def was_entered(self) -> bool:
        return True


class Reachable(FileModel):
    """How a person is notified; also for people described in full. Without a mailbox `email` is empty, and they have a
    number.
    """

    name: Name = Field(repr=False)
    email: Email = Field(default="", repr=False)
    zone: Zone
    locale: LocaleTag = "en"
    phone: Phone | None = Field(default=None, validate_default=True, repr=False)
    devices: tuple[PushDevice, ...] = ()

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @property
    def address(self) -> str:
        return contact_address(self.email, self.phone)

    @property
    def set_fields(self) -> dict[str, Any]:
        """For another model of the same person."""
        return {name: getattr(self, name) for name in Reachable.model_fields if name in self.model_fields_set}

    @field_validator("phone")
    @classmethod
    def _instead_of_email(cls, phone: str | None, info: ValidationInfo) -> str | None:
        if phone is None and info.data.get("email") == "":
            raise FileFault.EMAIL_OR_PHONE.error()
        return phone


@dataclass
class PeopleFileContext:
    """Validation context of a people file: everybody in it, before validation."""

    managers: Mapping[str, str | None]
    ids_seen: set[str] = field(default_factory=set)
    unknown: int = 0
    """Ids reported as unknown; those beyond the faults that are listed get no suggestion, which costs milliseconds."""
    tokens_seen: set[str] = field(default_factory=set)

    @classmethod
    def from_plain(cls, plain: Any) -> Self:
        """Ids and managers of the plain value, without invalid ids, so that no message shows other content."""
        people = plain.get("people") if isinstance(plain, dict) else None
        entries = [entry for entry in people if isinstance(entry, dict)] if isinstance(people, list) else []
        ids = [str(entry.get("id")) for entry in entries]
        return cls(
            {id: entry.get("manager") for id, entry in zip(ids, entries, strict=True) if re.fullmatch(ID_PATTERN, id)}
        )

    def exists(self, id: str) -> str:
        if id not in self.managers:
            self.unknown += 1
            suggestion = did_you_mean(id, self.managers) if self.unknown <= TOLD_AT_MOST else ""
            raise FileFault.NO_PERSON_OF_FILE.error(person=id, hint=suggestion)
        return id

    def manager_cycle(self, id: str) -> tuple[str, ...]:
        """The managers from a person back to that person; empty without a cycle."""
        chain, above = [id], self.managers.get(id)
        while isinstance(above, str) and above not in chain:
            chain.append(above)
            above = self.managers.get(above)
        return (*chain, id) if above == id else ()


def _hours(text: str) -> str:
    clock_hours(text)
    return text


def _days(text: str) -> str:
    weekdays(text)
    return text


class Person(Reachable):
    id: Id
    calendar: CalendarCode | None = None
    hours: Annotated[str, AfterValidator(_hours)] = USUAL_HOURS
    days: Annotated[str, AfterValidator(_days)] = "mon-fri"
    manager: Id | None = None
    delegate: Id | None = None
    absent: tuple[Absence, ...] = ()
    groups: tuple[Id, ...] = ()
    department: Name | None = None
    joined: date | None = None
    """When they joined the company."""

    def for_team(self, team: str) -> Self:
        """The group where a person could stand: by its name, in the hours of this member of it, reached by nothing."""
        nobodys = dict.fromkeys(("manager", "delegate", "phone", "department"))
        empty = dict.fromkeys(("absent", "devices", "groups"), ())
        return self.model_copy(update={**nobodys, **empty, "id": team, "name": group_of(team) or team, "email": ""})

    @property
    def working_hours(self) -> tuple[time, time]:
        return clock_hours(self.hours)

    @property
    def weekdays(self) -> frozenset[int]:
        """Monday is 0."""
        return weekdays(self.days)

    def works_on(self, day: date) -> bool:
        """Whether it is no weekly day off and no public holiday; absences do not count, for others act meanwhile."""
        holidays = public_holidays(self.calendar, day.year) if self.calendar else ()
        return day.weekday() in self.weekdays and day not in holidays

    @property
    def absences(self) -> tuple[tuple[datetime, datetime], ...]:
        """Pairs of the first instant and the first one after."""
        return tuple(absence.span(self.tz) for absence in self.absent)

    def absent_at(self, instant: datetime) -> bool:
        return any(begin <= instant < end for begin, end in self.absences)

    def for_kind(self, kind: str) -> Self:
        """As a follow-up of this kind sees them: without absences that are of other kinds."""
        present = tuple(absence for absence in self.absent if absence.is_of(kind))
        return self if len(present) == len(self.absent) else self.model_copy(update={"absent": present})

    def with_absences(self, entered: tuple[EnteredAbsence, ...]) -> Self:
        return self.model_copy(update={"absent": (*self.absent, *entered)}) if entered else self

    def delegate_at(self, instant: datetime) -> str | None:
        """Who acts for them then: whom the absence of the fewest kinds names, among equals the last entered one, else
        the delegate of the file.
        """
        spans = ((absence.span(self.tz), absence) for absence in reversed(self.absent))
        naming = [absence for (begins, ends), absence in spans if absence.substitute and begins <= instant < ends]
        return min(naming, key=lambda absence: absence.breadth).substitute if naming else self.delegate

    def absence_refusal(self, instant: datetime) -> Message | None:
        """The refusal if absent then, without the end of the absence, which is private."""
        return Rejection.AWAY_UNLESS_FORCED.to_message(person=self.id) if self.absent_at(instant) else None

    @field_validator("id")
    @classmethod
    def _unique(cls, id: str, info: ValidationInfo) -> str:
        if isinstance(people_known := info.context, PeopleFileContext):
            if stands_in_full(id):
                raise FileFault.RESERVED_ID.error()
            if id in people_known.ids_seen:
                raise FileFault.ID_TWICE.error(id=id)
            people_known.ids_seen.add(id)
        return id

    @field_validator("manager", "delegate")
    @classmethod
    def _somebody_here(cls, id: str | None, info: ValidationInfo) -> str | None:
        if id is None or not isinstance(people_known := info.context, PeopleFileContext):
            return id
        return people_known.exists(id)

    @field_validator("manager")
    @classmethod
    def _no_cycle(cls, manager: str | None, info: ValidationInfo) -> str | None:
        own_id = info.data.get("id")
        if own_id is None or not isinstance(people_known := info.context, PeopleFileContext):
            return manager
        cycle = people_known.manager_cycle(own_id)
        # Reported once for the whole cycle, at one member.
        if cycle and own_id == min(cycle):
            raise FileFault.IN_A_CIRCLE.error(circle=" → ".join(cycle))
        return manager

    @field_validator("devices")
    @classmethod
    def _nobody_elses(cls, devices: tuple[PushDevice, ...], info: ValidationInfo) -> tuple[PushDevice, ...]:
        if isinstance(people_known := info.context, PeopleFileContext):
            tokens = [device.value for device in devices]
            if len(set(tokens)) < len(tokens) or people_known.tokens_seen & set(tokens):
                raise FileFault.DEVICE_TWICE.error()
            people_known.tokens_seen.update(tokens)
        return devices


class PeopleFile(FileModel):
    """The file `COUNTERSIGN_PEOPLE`."""

    people: tuple[Person, ...] = Field(min_length=1)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises `FileFaults`."""
        return cls.from_plain_file(FileText.read(path).parse())

    @classmethod
    def from_plain_file(cls, file: PlainFile) -> Self:
        """Raises `FileFaults`."""
        return file.validate(cls, PeopleFileContext.from_plain(file.plain))


class SignersFile(FileModel):
    """`signers.json` beside a workflow in the store: people described in full in its file, by id."""

    signers: Mapping[str, Reachable]

    @classmethod
    def dump_signers(cls, named: Iterable[Reachable | None], ids: Iterable[str | None]) -> bytes | None:
        """As stored; None if all are of the directory."""
        pairs = zip(ids, named, strict=True)
        signers = {id: signer for id, signer in pairs if signer is not None and id is not None}
        return cls(signers=signers).model_dump_json(by_alias=True, exclude_defaults=True).encode() if signers else None

    def person(self, id: str) -> Person | None:
        """None if unknown."""
        signer = self.signers.get(id)
        return Person(id=id, **signer.set_fields) if signer else None


def by_group(people: Iterable[Person]) -> dict[str, tuple[str, ...]]:
    """Member ids of every group, in the order of the file."""
    groups: dict[str, list[str]] = {}
    for person in people:
        for group in person.groups:
            groups.setdefault(group, []).append(person.id)
    return {name: tuple(members) for name, members in groups.items()}
