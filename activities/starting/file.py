"""What every file says that asks for something: of which kind, until when, and what to do about silence."""

from datetime import date, datetime
from typing import Annotated, ClassVar, Final, Self, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from activities.device import PushDevice
from activities.files.fields import DayOrInstant, Email, Id, KindId, LocaleTag, Name, Phone, WorkflowId, Zone
from activities.files.reading import FileModel
from activities.person import Reachable
from activities.policies.file import PolicyLayer
from activities.starting.checks import FileChecks

Value = TypeVar("Value")
_IN_FULL: Final = ("name", "email", "zone", "locale", "phone", "devices")


def checks_of(info: ValidationInfo) -> FileChecks:
    """What a file is checked against; it comes along with its validation."""
    if not isinstance(info.context, FileChecks):
        raise TypeError("a file is validated with what it is checked against")
    return info.context


def right(value: Value, info: ValidationInfo) -> Value:
    """Keep the value of a field for the checks of the policy, which come even when other fields are faulty."""
    checks_of(info).right[str(info.field_name)] = value
    return value


def _in_directory(id: str, info: ValidationInfo) -> str:
    return checks_of(info).person(id).id


PersonId = Annotated[Id, AfterValidator(_in_directory)]


class SomebodyEntry(FileModel):
    """Somebody who is asked: of the directory, or standing here in full."""

    others: ClassVar[tuple[str, ...]] = ()
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
        """Who stands here, None for somebody of the directory."""
        if self.email is None:
            return None
        return Reachable.model_validate(self.model_dump(include=set(_IN_FULL), exclude_unset=True, by_alias=True))

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = (*self.others, "person")
        given = [name for name in (*ways, *_IN_FULL) if getattr(self, name) is not None]
        named, in_full = [name for name in given if name in ways], [name for name in given if name not in ways]
        if len(named) + bool(in_full) > 1:
            raise ValueError(
                f"has {named[0]} and {(*named, *in_full)[1]}: either {', '.join(ways)}, or somebody in full"
            )
        if not named and (missing := [name for name in _IN_FULL[:3] if name not in in_full]):
            raise ValueError(f"needs {', '.join(ways)}, or somebody in full ({', '.join(missing)} missing)")
        return self


class AskingFile(FileModel):
    """The fields that all such files share."""

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
