"""Who may see what of a follow-up, and who may download what is kept of it: one table for desk and pages."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum, auto
from functools import cached_property
from typing import Final

from activities.people.directory import UnknownGroup
from activities.people.file_directory import FileDirectory
from workflows.follow_up.notification_types import NotificationType, kind_of
from workflows.model.signature import SignerState
from workflows.model.views import Shown


@dataclass(frozen=True)
class ReaderRole:
    """A person, those who report to them at any level, and whether they are an operator."""

    person: str
    reports: tuple[str, ...] = ()
    operator: bool = False

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
        return ReaderRole(person, await self._directory.reports(person), await self._is_operator(person))

    async def _is_operator(self, person: str) -> bool:
        if not self._operators:
            return False
        try:
            return person in await self._directory.group(self._operators)
        except UnknownGroup:
            return False


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
