"""What every file says that asks for something: of which kind, until when, and what to do about silence."""

from datetime import date, datetime
from typing import Annotated, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator

from activities.files.fields import DayOrInstant, Id, KindId, WorkflowId
from activities.files.reading import FileModel
from activities.policies.file import PolicyLayer
from activities.starting.checks import Checks

Value = TypeVar("Value")


def checks_of(info: ValidationInfo) -> Checks:
    """What a file is checked against; it comes along with its validation."""
    if not isinstance(info.context, Checks):
        raise TypeError("a file is validated with what it is checked against")
    return info.context


def right(value: Value, info: ValidationInfo) -> Value:
    """Keep the value of a field for the checks of the policy, which come even when other fields are faulty."""
    checks_of(info).right[str(info.field_name)] = value
    return value


def _in_directory(id: str, info: ValidationInfo) -> str:
    return checks_of(info).person(id).id


PersonId = Annotated[Id, AfterValidator(_in_directory)]


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
