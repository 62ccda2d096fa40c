"""Who may see what of a follow-up, and who may download what is kept of it: one table for desk and pages."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum, auto
from functools import cached_property
from typing import Final

from activities.people.file_directory import FileDirectory
from activities.policies.catalogue import StarterEntry
from workflows.follow_up.notification_types import NotificationType, kind_of
from workflows.model.signature import SignerState
from workflows.model.views import Shown


@dataclass(frozen=True)
class ReaderRole:
    """A person, those who report to them at any level, whether they are an operator, and their groups."""

    person: str
    reports: tuple[str, ...] = ()
    operator: bool = False
    groups: frozenset[str] = frozenset()

    @cached_property
    def below(self) -> frozenset[str]:
        return frozenset(self.reports)


class ReaderRoles:
    """`operators` is the group with all rights."""

    def __init__(self, directory: FileDirectory, operators: str) -> None:
        self._directory = directory
        self._operators = operators

    async def of(self, person: str) -> ReaderRole:
        """Raises `DirectoryFailure`."""
        reports = await self._directory.reports(person)
        groups = frozenset(await self._directory.groups_of(person))
        return ReaderRole(person, reports, bool(self._operators) and self._operators in groups, groups)


class Standing(StrEnum):
    """What somebody is to a follow-up; they may be several at once."""

    OPERATOR = "operator"
    REQUESTER = "requester"
    """Of a task, an onboarding or a campaign: its owner."""
    ABOVE_REQUESTER = "above the requester"
    ASKED = "asked"
    REPLACED = "replaced"
    """They were asked, and handed over."""
    ABOVE_ASKED = "above somebody asked"
    ABOVE_REPLACED = "above somebody replaced"
    TOLD = "told of the ending"


class Sight(IntEnum):
    """What is shown to somebody, each with all before it."""

    NOTHING = auto()
    STATUS = auto()
    """Status without reasons; the name only if the kind lets it be read."""
    TITLE = auto()
    """The name as well, and the way to their own page."""
    EVERYTHING = auto()


@dataclass(frozen=True)
class Rights:
    sight: Sight = Sight.NOTHING
    download: bool = False
    """Whether they may have the files that are kept of it."""


RIGHTS: Final[Mapping[Standing, Rights]] = {
    Standing.OPERATOR: Rights(Sight.EVERYTHING, download=True),
    Standing.REQUESTER: Rights(Sight.EVERYTHING, download=True),
    Standing.ABOVE_REQUESTER: Rights(Sight.EVERYTHING),
    Standing.ASKED: Rights(Sight.TITLE, download=True),
    Standing.REPLACED: Rights(Sight.TITLE),
    Standing.ABOVE_ASKED: Rights(Sight.STATUS, download=True),
    Standing.ABOVE_REPLACED: Rights(Sight.STATUS),
    Standing.TOLD: Rights(Sight.TITLE, download=True),
}
"""docs/desk.md has the same in words."""


def may_start(role: ReaderRole, starters: Iterable[StarterEntry]) -> bool:
    """Whether they may begin things of a kind at the desk or by the API; `starters` are its `may_start`."""
    return any(one.everyone or one.person == role.person or one.group in role.groups for one in starters)


def rights_of(role: ReaderRole, shown: Shown) -> Rights:
    """All that their standings allow. `shown` has all its notices (`starter.queries.lookup.complete`)."""
    held = [RIGHTS[standing] for standing in _standings(role, shown)]
    sight = max((one.sight for one in held), default=Sight.NOTHING)
    return Rights(sight, download=any(one.download for one in held))


def _standings(role: ReaderRole, shown: Shown) -> Iterator[Standing]:
    replaced = {line.person for line in shown.lines if line.state == SignerState.REASSIGNED}
    asked = {line.person for line in shown.lines if line.state != SignerState.REASSIGNED}
    asked |= set(shown.asked_people) - replaced
    replaced -= asked
    if role.operator:
        yield Standing.OPERATOR
    if role.person == shown.requester:
        yield Standing.REQUESTER
    if shown.requester in role.below:
        yield Standing.ABOVE_REQUESTER
    if role.person in asked:
        yield Standing.ASKED
    if role.person in replaced:
        yield Standing.REPLACED
    elif role.person in _told(shown):
        yield Standing.TOLD
    if not role.below.isdisjoint(asked):
        yield Standing.ABOVE_ASKED
    if not role.below.isdisjoint(replaced):
        yield Standing.ABOVE_REPLACED


def _told(shown: Shown) -> set[str]:
    """Whom the hand-off told of the ending of a document."""
    if not shown.type.spec.document:
        return set()
    settled = (line for line in shown.notifications if kind_of(line.stage) is NotificationType.SETTLED)
    return {line.person for line in settled if line.reached}
