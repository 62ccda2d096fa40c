"""Who may see and do what: one function over one table, for desk, API, downloads and pages (docs/rights.md)."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Final, Protocol

from activities.people import rights as token_rights
from activities.people.company_directory import CompanyDirectory
from activities.people.directory import asking_the_store
from activities.people.rights import May
from activities.policies.catalogue import StarterEntry
from workflows import names
from workflows.follow_up.notification_types import NotificationType, kind_of
from workflows.model.signature import SignerState
from workflows.model.subject import group_word
from workflows.model.views import Shown, SignerLine
from workflows.task.state import AssigneeState

_THEIR_TURN: Final = (SignerState.TURN, SignerState.VIEWED, SignerState.BOUNCED, AssigneeState.ASKED)


class Right(StrEnum):
    """An action on a request, task, onboarding or campaign, or concerning a person."""

    STATUS = "status"
    """See its status without reasons; its name only if the kind lets it be read."""
    TITLE = "title"
    """See its name as well, and the way to their own page."""
    WHOLE = "whole"
    """See everything but what people wrote."""
    TEXTS = "texts"
    """See what people wrote: reasons, questions, answers, notes."""
    DOWNLOAD = "download"
    """Have the files that are kept of it."""
    BEGIN = "begin"
    PERSON = "person"
    """See how somebody is reached, and when they are away."""
    AWAY = "away"
    """Enter and end absences of somebody."""
    REMIND = names.REMIND
    DELEGATE = names.DELEGATE
    LINK = names.LINK
    """Hand over a link of a signer."""
    EXTEND = names.EXTEND
    PAUSE = names.PAUSE
    RESUME = names.RESUME
    ASK = names.ASK
    SNOOZE = names.SNOOZE
    ANSWER = names.ANSWER
    CANCEL = names.CANCEL
    REPLAY = names.REPLAY
    DONE = names.DONE
    WAIVE = names.WAIVE
    BLOCK = names.BLOCK
    UNBLOCK = names.UNBLOCK
    DECIDE = names.DECIDE
    EXEMPT = names.EXEMPT
    RETRY = names.RETRY
    REVIEW = names.REVIEW
    REVISE = names.REVISE
    TAKE = names.TAKE
    """See to it, of the group that asks."""


class Standing(StrEnum):
    """What somebody is to a follow-up, or to a kind; they may be several at once."""

    OPERATOR = "operator"
    REQUESTER = "requester or owner"
    """Also each member of a group that is."""
    ABOVE_REQUESTER = "everybody above them"
    ASKED = "signer or assignee"
    REPLACED = "former signer or assignee"
    """They were asked, and handed over."""
    REVIEWER = "reviewer"
    ABOVE_ASKED = "everybody above somebody asked"
    ABOVE_REPLACED = "everybody above a former one"
    TOLD = "told by the hand-off"
    TEAM = "team of an onboarding"
    VISIBLE = "group in visible_to"
    STARTER = "named in may_start"
    THEMSELVES = "the person themselves"
    ABOVE = "everybody above the person"
    PROGRAM_READ = "API token with read"
    PROGRAM_CHANGE = "API token with change"
    PROGRAM_START = "API token with start"


ABOUT_PEOPLE: Final = frozenset({Right.PERSON, Right.AWAY})
_NO_COMMANDS: Final = {Right.STATUS, Right.TITLE, Right.WHOLE, Right.TEXTS, Right.DOWNLOAD, Right.BEGIN}
COMMANDS: Final = frozenset(Right) - _NO_COMMANDS - ABOUT_PEOPLE
_TITLE: Final = frozenset({Right.STATUS, Right.TITLE})
_WHOLE: Final = _TITLE | {Right.WHOLE}
_EVERYTHING: Final = _WHOLE | {Right.TEXTS}
RIGHTS: Final[Mapping[Standing, frozenset[Right]]] = {
    Standing.OPERATOR: _EVERYTHING | COMMANDS | ABOUT_PEOPLE | {Right.DOWNLOAD},
    Standing.REQUESTER: _EVERYTHING | COMMANDS | {Right.DOWNLOAD},
    # By a link one reads the document, which they cannot download.
    Standing.ABOVE_REQUESTER: _EVERYTHING | COMMANDS - {Right.LINK},
    Standing.ASKED: _TITLE | {Right.DOWNLOAD},
    Standing.REPLACED: _TITLE,
    Standing.REVIEWER: _TITLE | {Right.DOWNLOAD, Right.REVIEW},
    Standing.ABOVE_ASKED: frozenset({Right.STATUS, Right.REMIND, Right.DELEGATE}),
    Standing.ABOVE_REPLACED: frozenset({Right.STATUS}),
    Standing.TOLD: _WHOLE | {Right.DOWNLOAD},
    Standing.TEAM: _WHOLE,
    Standing.VISIBLE: _WHOLE,
    Standing.STARTER: frozenset({Right.BEGIN}),
    Standing.THEMSELVES: ABOUT_PEOPLE,
    Standing.ABOVE: ABOUT_PEOPLE,
    Standing.PROGRAM_READ: _EVERYTHING | {Right.DOWNLOAD, Right.PERSON},
    Standing.PROGRAM_CHANGE: COMMANDS | {Right.AWAY},
    Standing.PROGRAM_START: frozenset({Right.BEGIN}),
}
"""docs/rights.md is the same table; what a kind does not have, such as the files of a task, nobody has of it."""
FOR_THEIR_PEOPLE: Final = (Standing.ABOVE_ASKED,)
"""Standings whose commands concern the places of their people alone."""


@dataclass(frozen=True)
class Rights:
    """What somebody may do; `theirs` only about those who report to them, while it is their turn."""

    all: frozenset[Right] = frozenset()
    theirs: frozenset[Right] = frozenset()

    @classmethod
    def from_standings(cls, standings: Collection[Standing]) -> "Rights":
        """All that these allow together."""
        unlimited, theirs = frozenset[Right](), frozenset[Right]()
        for standing in standings:
            limited = RIGHTS[standing] & COMMANDS if standing in FOR_THEIR_PEOPLE else frozenset()
            unlimited, theirs = unlimited | (RIGHTS[standing] - limited), theirs | limited
        return cls(unlimited, theirs)

    def __contains__(self, right: Right) -> bool:
        return right in self.all


@dataclass(frozen=True)
class ReaderRole:
    """A person, those who report to them at any level, their groups, and whether they are an operator."""

    person: str
    reports: tuple[str, ...] = ()
    operator: bool = False
    groups: frozenset[str] = frozenset()
    visible: frozenset[str] = frozenset()
    """Kinds of the catalogue that are `visible_to` one of their groups."""
    starts: frozenset[str] = frozenset()
    """Kinds of the catalogue that they may begin."""

    @cached_property
    def subordinates(self) -> frozenset[str]:
        return frozenset(self.reports)

    @cached_property
    def _folded_groups(self) -> frozenset[str]:
        return frozenset(map(str.casefold, self.groups))

    def is_in(self, group: str | None) -> bool:
        """Whether they are of this group, whose name in a file may have other capitals than in the directory."""
        return bool(group) and str(group).casefold() in self._folded_groups

    @cached_property
    def teams(self) -> frozenset[str]:
        """The words for their groups."""
        return frozenset(map(group_word, self.groups))

    @cached_property
    def known_as(self) -> frozenset[str]:
        """Their id, and the words for their groups."""
        return self.teams | {self.person}


@dataclass(frozen=True)
class TokenRole:
    """A program, and what its token says."""

    rights: token_rights.TokenRights


class KindsOfRole(Protocol):
    """What the catalogue lets somebody do by kind."""

    async def visible_to(self, role: ReaderRole) -> frozenset[str]: ...

    async def startable(self, role: ReaderRole) -> tuple[str, ...]: ...


class IssuerGroups(Protocol):
    """The groups of somebody by the tokens of their sign-ins that last."""

    async def groups_of(self, person: str, now: datetime) -> frozenset[str]: ...


class ReaderRoles:
    """`operators` is the group with all rights; `issuer_groups` counts for people without groups in the directory."""

    def __init__(
        self,
        directory: CompanyDirectory,
        operators: str,
        catalogue: KindsOfRole,
        issuer_groups: IssuerGroups | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._issuer_groups = issuer_groups
        self._clock = clock
        self._directory = directory
        self._operators = operators
        self._catalogue = catalogue

    async def role_of(self, person: str) -> ReaderRole:
        """Raises `DirectoryFailure`."""
        reports, groups = await self._directory.reports(person), await self._directory.groups_of(person)
        if self._issuer_groups and not groups:
            with asking_the_store():
                groups = await self._issuer_groups.groups_of(person, self._clock())
        role = ReaderRole(person, reports, groups=groups)
        role = replace(role, operator=role.is_in(self._operators))
        visible, starts = await self._catalogue.visible_to(role), await self._catalogue.startable(role)
        return replace(role, visible=visible, starts=frozenset(starts))


def may_start(role: ReaderRole, starters: Iterable[StarterEntry]) -> bool:
    """Whether they may begin things of a kind at the desk or by the API; `starters` are its `may_start`."""
    return any(entry.everyone or entry.person == role.person or role.is_in(entry.group) for entry in starters)


def rights_of(caller: ReaderRole | TokenRole, view: Shown) -> Rights:
    """What `caller` may do with a follow-up. `view` has all its notices (`starter.queries.lookup.complete`)."""
    if isinstance(caller, TokenRole):
        return _of_token(caller, view.kind, view.requester)
    rights = Rights.from_standings(tuple(_standings(caller, view)))
    return replace(rights, theirs=frozenset()) if caller.subordinates.isdisjoint(in_turn(view)) else rights


def in_turn(view: Shown) -> tuple[str, ...]:
    """Whose turn it is: their places can be handed over."""
    return tuple(line.person for line in view.lines if line.state in _THEIR_TURN)


def may_get_link(view: Shown) -> tuple[str, ...]:
    """Whom a link may be handed over to; of a group, whoever has taken its place."""
    of_open_places = {
        line.person for line in view.lines if isinstance(line, SignerLine) and line.team and not line.taken_at
    }
    return tuple(person for person in in_turn(view) if person not in of_open_places)


def rights_to_begin(caller: ReaderRole | TokenRole, kind: str, requester: str) -> Rights:
    """What somebody may do with one of this kind of the catalogue that does not exist yet."""
    if isinstance(caller, TokenRole):
        return _of_token(caller, kind, requester)
    return Rights.from_standings((Standing.STARTER,) if kind in caller.starts and may_ask_as(caller, requester) else ())


def may_ask_as(role: ReaderRole, requester: object) -> bool:
    """Whether somebody may ask in this name: their own, or of a group of theirs."""
    return requester in role.known_as


def requesters_seen(role: ReaderRole) -> tuple[str, ...] | None:
    """Whose follow-ups they may list: their own, those of their groups, and of everybody below them; None for all."""
    return None if role.operator else (role.person, *sorted(role.teams), *role.reports)


@dataclass(frozen=True)
class RoleCaller:
    """Somebody who starts something with the rights of a role; `actor` says who, and how that is known."""

    role: ReaderRole | TokenRole
    actor: str

    def may_begin(self, kind: str, requester: str) -> bool:
        return Right.BEGIN in rights_to_begin(self.role, kind, requester)


def rights_concerning(caller: ReaderRole | TokenRole, person: str) -> Rights:
    """What somebody may do that concerns a person of the directory; a token with limits nothing."""
    if isinstance(caller, TokenRole):
        return _of_token(caller, "", "")
    standings = {
        Standing.OPERATOR: caller.operator,
        Standing.THEMSELVES: person == caller.person,
        Standing.ABOVE: person in caller.subordinates,
    }
    return Rights.from_standings([standing for standing, holds in standings.items() if holds])


_TOKENS: Final = {
    May.READ: Standing.PROGRAM_READ,
    May.CHANGE: Standing.PROGRAM_CHANGE,
    May.START: Standing.PROGRAM_START,
}


def _of_token(role: TokenRole, kind: str, requester: str) -> Rights:
    return Rights.from_standings(
        [standing for may, standing in _TOKENS.items() if role.rights.permit(may, kind, requester)]
    )


def _standings(role: ReaderRole, view: Shown) -> Iterator[Standing]:
    replaced = {line.person for line in view.lines if line.state == SignerState.REASSIGNED}
    acting = {line.person for line in view.lines if line.state != SignerState.REASSIGNED}
    acting |= set(view.asked_people) - replaced
    replaced -= acting
    if role.operator:
        yield Standing.OPERATOR
    if view.requester in role.known_as:
        yield Standing.REQUESTER
    if view.requester in role.subordinates:
        yield Standing.ABOVE_REQUESTER
    if role.person in acting:
        yield Standing.ASKED
    if role.person in replaced:
        yield Standing.REPLACED
    elif role.person not in acting and role.person in _notified(view):
        yield Standing.TOLD
    if any(review.person == role.person and review.state != SignerState.REASSIGNED for review in view.all_reviews):
        yield Standing.REVIEWER
    if not role.subordinates.isdisjoint(acting):
        yield Standing.ABOVE_ASKED
    if not role.subordinates.isdisjoint(replaced):
        yield Standing.ABOVE_REPLACED
    if not role.known_as.isdisjoint(view.read_by):
        yield Standing.TEAM
    if view.kind in role.visible:
        yield Standing.VISIBLE


def _notified(view: Shown) -> set[str]:
    """Whom the hand-off told of the ending."""
    settled = (line for line in view.notifications if kind_of(line.stage) is NotificationType.SETTLED)
    return {line.person for line in settled if line.reached}
