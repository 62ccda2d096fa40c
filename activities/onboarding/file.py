"""The onboarding file (docs/onboarding.md), except its parts, which have models of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from activities.errors import did_you_mean
from activities.files.fields import Id, KindId, Message, Name, Span
from activities.files.reading import FileModel
from activities.launch import intake
from activities.launch.doors import CheckContext
from activities.people.directory import Directory, UnknownGroup
from workflows.model.file_faults import FileFault
from workflows.model.notifications import QUIET_AT_MOST
from workflows.model.subject import group_of

CUSTOMER: Final = "customer"
OWNER: Final = "owner"
"""Word for a person, like the names of `teams`."""
STAGES_AT_MOST: Final = 50
PARTS_AT_MOST: Final = 400
"""In all stages together."""
TEAMS_AT_MOST: Final = 50
COLLEAGUES_AT_MOST: Final = 20
ID_AT_MOST: Final = 48
SHORT_ID: Final = rf"[A-Za-z0-9_-]{{1,{ID_AT_MOST}}}"
ShortId = Annotated[str, Field(pattern=rf"^{SHORT_ID}$")]
"""Prefix of other ids, so without a dot."""


@dataclass
class OnboardingChecks(intake.FileChecks):
    """Validation context of an onboarding file; its parts have their own."""

    closes: ClassVar[bool] = False

    groups: Mapping[str, tuple[str, ...]]
    """Members of groups that are teams."""
    owners: frozenset[str]
    """The owner, or who is of the group that is."""

    @classmethod
    async def look_up(cls, plain: Any, sources: CheckContext) -> Self:
        """Look up everybody whom the unvalidated file names."""
        directory, fields = sources.directory, plain if isinstance(plain, dict) else {}
        customer, teams = fields.get("customer"), fields.get("teams")
        entries = [customer] if isinstance(customer, dict) else []
        entries += [colleague for entry in entries for colleague in intake.maps(entry, "colleagues")]
        teams = teams if isinstance(teams, dict) else {}
        owner = intake.asker_named(plain, "owner")
        named = (owner, *(entry.get("person") for entry in entries), *teams.values())
        persons = await intake.KnownPersons.look_up(directory, frozenset(id for id in named if isinstance(id, str)))
        groups = {}
        for team in teams.values():
            if isinstance(team, str) and team in persons.unknown and (members := await _members(directory, team)):
                groups[team] = members
        group = group_of(owner) if isinstance(owner, str) else None
        owners = await _members(directory, group) if group else (str(owner),)
        return cls(
            catalogue=sources.catalogue,
            persons=persons,
            closing=(),
            now=sources.now,
            groups=groups,
            owners=frozenset(owners),
            substitutes=directory.substitutes,
        )

    @property
    def concerned(self) -> intake.ConcernedPersons:
        """The owner only: each part checks whom it asks."""
        return intake.ConcernedPersons(self.right.get("owner"), frozenset())

    def team(self, id: str) -> tuple[str, ...]:
        """The people of a team, which is a person or a group; `ValueError` for too many."""
        members = self.groups[id] if id in self.groups else (self.person(id).id,)
        if len(members) > intake.PEOPLE_AT_MOST:
            raise FileFault.CROWD.error(group=id, count=len(members), most=intake.PEOPLE_AT_MOST)
        return members


class ContactEntry(intake.ParticipantEntry):
    """A person of the customer, by directory id or described in full."""

    @field_validator("person")
    @classmethod
    def _check_person(cls, id: str | None, info: ValidationInfo) -> str | None:
        return id and _checks(info).person(id).id


async def _members(directory: Directory, group: str) -> tuple[str, ...]:
    try:
        return await directory.group(group)
    except UnknownGroup:
        return ()


def _checks(info: ValidationInfo) -> OnboardingChecks:
    if not isinstance(info.context, OnboardingChecks):
        raise TypeError("an onboarding file is validated with OnboardingChecks")
    return info.context


class CustomerEntry(ContactEntry):
    """The customer; the onboarding's name is `company`, else the id, never a person's name."""

    company: Name | None = None
    colleagues: tuple[ContactEntry, ...] = Field(default=(), max_length=COLLEAGUES_AT_MOST)

    @model_validator(mode="before")
    @classmethod
    def _named_beside_a_person(cls, entry: Any) -> Any:
        """`name` beside `person` is the customer's company: the person's name is in the directory."""
        if isinstance(entry, dict) and entry.get("person") is not None and "name" in entry:
            return {**{key: value for key, value in entry.items() if key != "name"}, "company": entry["name"]}
        return entry


class QuietEntry(FileModel):
    """The notification budget of the customer and their colleagues: notices per time span."""

    most: Annotated[int, Field(ge=1, le=QUIET_AT_MOST)] = 3
    per: Span = "1d"


class NoticeEntry(FileModel):
    """News sent when the stage begins."""

    id: Id | None = None
    to: Name
    text: Message


class StageEntry(FileModel):
    """A stage; agreements, tasks and steps are validated by their own models."""

    name: Name
    agreements: tuple[dict[str, Any], ...] = ()
    tasks: tuple[dict[str, Any], ...] = ()
    steps: tuple[dict[str, Any], ...] = ()
    notices: tuple[NoticeEntry, ...] = ()

    @model_validator(mode="after")
    def _has_something(self) -> Self:
        if not (self.agreements or self.tasks or self.steps or self.notices):
            raise FileFault.EMPTY_STAGE.error()
        return self


class OnboardingFile(intake.AskingFile):
    kind: KindId = "customer-onboarding"
    id: ShortId | None = None
    customer: CustomerEntry
    owner: intake.AskerId
    template: Id | None = None
    quiet: QuietEntry = QuietEntry()
    teams: dict[Id, Id] = Field(default={}, max_length=TEAMS_AT_MOST)
    stages: tuple[StageEntry, ...] = Field(min_length=1, max_length=STAGES_AT_MOST)

    _right_people = field_validator("owner")(intake.right)

    @field_validator("due")
    @classmethod
    def _none_of_its_own(cls, due: object) -> None:
        if due is not None:
            raise FileFault.DUE_OF_PARTS.error()

    @field_validator("teams")
    @classmethod
    def _known_teams(cls, teams: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        recipients: set[str] = set()
        for name, id in teams.items():
            if name in (CUSTOMER, OWNER):
                raise FileFault.TEAM_NAME_TAKEN.error(team=name)
            recipients |= {*_checks(info).team(id)}
        if len(recipients) > intake.PEOPLE_AT_MOST:
            raise FileFault.TEAMS_TOO_LARGE.error(count=len(recipients), most=intake.PEOPLE_AT_MOST)
        return teams

    @field_validator("stages")
    @classmethod
    def _not_too_many(cls, stages: tuple[StageEntry, ...]) -> tuple[StageEntry, ...]:
        parts = sum(
            len(stage.agreements) + len(stage.tasks) + len(stage.steps) + len(stage.notices) for stage in stages
        )
        if parts > PARTS_AT_MOST:
            raise FileFault.TOO_MANY_PARTS.error(count=parts, most=PARTS_AT_MOST)
        names = [stage.name for stage in stages]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise FileFault.GIVEN_TWICE.error(name=twice)
        return stages

    def people_of(self, team: str) -> str:
        """The directory id or group behind a word of the file; `ValueError` for an unknown team."""
        if team not in self.teams:
            raise FileFault.NO_TEAM.error(team=team, hint=did_you_mean(team, self.teams))
        return self.teams[team]
