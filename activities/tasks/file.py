"""The task file as people write it (docs/tasks.md), and who it asks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, NamedTuple, Self

from pydantic import ValidationInfo, field_validator, model_validator

from activities.files.fields import Id, Message, Name, Span
from activities.files.reading import FileModel
from activities.people import Directory, UnknownGroup
from activities.policies.catalogue import Catalogue
from activities.policies.file import PolicyLayer
from activities.starting.checks import Checks, Concerned, Found
from activities.starting.file import AskingFile, PersonId, right

PEOPLE_AT_MOST: Final = 100
"""As many as a request may have signers."""


class _Team(NamedTuple):
    """The people of a group but for the owner, or why none of them can be asked."""

    members: tuple[str, ...] = ()
    refused: str | None = None

    @classmethod
    async def look_up(cls, directory: Directory, name: object, owner: object) -> Self:
        if not isinstance(name, str):
            return cls()
        try:
            members = tuple(id for id in await directory.group(name) if id != owner)
        except UnknownGroup as unknown:
            return cls(refused=str(unknown))
        if not members:
            return cls(refused=f"in the group {name} is nobody but the owner")
        if len(members) > PEOPLE_AT_MOST:
            return cls(refused=f"the group {name} has {len(members):,} people: at most {PEOPLE_AT_MOST} can be asked")
        return cls(members)


@dataclass
class TaskChecks(Checks):
    """The knowledge behind the fields of one task file."""

    made_of: ClassVar[frozenset[str]] = Checks.made_of | {"within"}
    closes: ClassVar[bool] = False

    owner: object
    team: _Team

    @classmethod
    async def look_up(cls, plain: Any, *, catalogue: Catalogue, directory: Directory, now: datetime) -> Self:
        """Ask the directory for everybody whom the file names, before anything of it was validated."""
        fields = plain if isinstance(plain, dict) else {}
        owner, who = fields.get("owner"), fields.get("who")
        who = who if isinstance(who, dict) else {}
        team = await _Team.look_up(directory, who.get("group"), owner)
        asked = (who.get("person"), *team.members)
        found = await Found.look_up(directory, frozenset(id for id in (owner, *asked) if isinstance(id, str)))
        people = [found.persons[id] for id in asked if isinstance(id, str) and id in found.persons]
        closing = tuple((person.tz, person.working_hours[1]) for person in people)
        return cls(catalogue=catalogue, found=found, closing=closing, now=now, owner=owner, team=team)

    @property
    def concerned(self) -> Concerned:
        """The owner, and everybody who is asked."""
        who = self.right.get("who")
        return Concerned(self.right.get("owner"), frozenset(self.asked(who)) if who else frozenset())

    @property
    def layer(self) -> PolicyLayer | None:
        """With the time that the file gives, which is a window in other words."""
        layer, within = super().layer, self.right["within"]
        return layer if within is None else (layer or PolicyLayer()).model_copy(update={"window": within})

    def asked(self, who: "WhoEntry") -> tuple[str, ...]:
        """The ids of those who are asked."""
        return (who.person,) if who.person is not None else self.team.members


def _checks(info: ValidationInfo) -> TaskChecks:
    if not isinstance(info.context, TaskChecks):
        raise TypeError("a task file is validated with TaskChecks")
    return info.context


class WhoEntry(FileModel):
    """Who is asked: everybody of a group, or one person."""

    group: Id | None = None
    person: Id | None = None

    @field_validator("group")
    @classmethod
    def _has_somebody(cls, group: str | None, info: ValidationInfo) -> str | None:
        if group is not None and (refused := _checks(info).team.refused):
            raise ValueError(refused)
        return group

    @field_validator("person")
    @classmethod
    def _somebody_else(cls, person: str | None, info: ValidationInfo) -> str | None:
        if person is not None and _checks(info).person(person).id == _checks(info).owner:
            raise ValueError(f"{person} is the owner and cannot be asked")
        return person

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.group is None) is (self.person is None):
            raise ValueError("needs exactly one of group, person")
        return self


class TaskFile(AskingFile):
    """A task: what is to be done, by whom, until when."""

    title: Name
    text: Message = ""
    who: WhoEntry
    owner: PersonId
    within: Span | None = None

    _right_people = field_validator("who", "owner", "within")(right)

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if self.within is not None and self.due is not None:
            raise ValueError("has due and within, but only one of them can be given")
        if self.within is not None and self.policy is not None and self.policy.window is not None:
            raise ValueError("has within and policy.window, which say the same: only one of them can be given")
        return self
