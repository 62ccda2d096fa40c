"""Which requests and tasks a view has, for whom, and how narrowed: everything that stands in the address of a list."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum, auto
from functools import cached_property
from typing import Final
from urllib.parse import urlencode

from activities.people.directory import UnknownGroup
from activities.people.file_directory import FileDirectory
from activities.people.language import phrase
from starter.errors import Refusal
from starter.queries.filters import Wanted
from starter.web.desk.sessions import Visitor
from workflows.kinds import Kind, kinds
from workflows.model.subject import Status
from workflows.model.views import Shown

OPEN: Final = "open"
ANY: Final = "any"
LIVING: Final = tuple(status for status in Status if not status.ended)
PEOPLE_AT_MOST: Final = 200
"""Of somebody's people that one query names; those nearest below them."""


class View(StrEnum):
    """The lists of the desk; a name is the last part of its address."""

    WAITING = "waiting"
    ASKED = "asked"
    PEOPLE = "people"
    ATTENTION = "attention"
    ONBOARDINGS = "onboardings"
    CAMPAIGNS = "campaigns"


LABELS: Final = {
    View.WAITING: phrase("Waiting for me"),
    View.ASKED: phrase("Asked by me"),
    View.PEOPLE: phrase("My people"),
    View.ATTENTION: phrase("Needs attention"),
    View.ONBOARDINGS: phrase("Onboardings"),
    View.CAMPAIGNS: phrase("Campaigns"),
}


@dataclass(frozen=True)
class Filters:
    """How a list is narrowed, as its address says it; `status` is `open`, `any` or one status."""

    status: str = OPEN
    what: Kind | None = None
    """Only requests, or only tasks."""
    kind: str = ""
    person: str = ""
    overdue: bool = False

    @classmethod
    def of(cls, query: Mapping[str, str], view: View) -> "Filters":
        """What an address asks for; what it cannot ask for is left out."""
        usual = ANY if view is View.ATTENTION else OPEN
        status = query.get("status", usual)
        known, what = (OPEN, ANY, *Status), query.get("what", "")
        return cls(
            status if status in known else usual,
            Kind(what) if what in kinds() else None,
            query.get("kind", "").strip(),
            query.get("person", "").strip(),
            query.get("overdue") == "1",
        )

    def query(self, **more: str) -> str:
        """The same as a part of an address."""
        said = {
            "status": self.status,
            "what": self.what or "",
            "kind": self.kind,
            "person": self.person,
            "overdue": "1" if self.overdue else "",
        }
        return urlencode({name: value for name, value in {**said, **more}.items() if value})

    @property
    def statuses(self) -> tuple[Status, ...]:
        """Those that are wanted, none for all."""
        if self.status == ANY:
            return ()
        return LIVING if self.status == OPEN else (Status(self.status),)


@dataclass(frozen=True)
class ReaderRole:
    """What somebody may do at the desk beside their own: whose manager they are, and whether they may do everything."""

    reports: tuple[str, ...] = ()
    operator: bool = False
    more_reports: bool = False
    """Whether there are more of them than one query may name."""
    views: tuple[View, ...] = field(default=(View.WAITING, View.ASKED, View.ONBOARDINGS, View.CAMPAIGNS))

    @cached_property
    def below(self) -> frozenset[str]:
        """Their `reports`, for whoever asks of many people whether they are among them."""
        return frozenset(self.reports)


class ReaderRoles:
    """Looks up who somebody is to others; `operators` is the group whose members may do everything."""

    def __init__(self, directory: FileDirectory, operators: str) -> None:
        self._directory = directory
        self._operators = operators

    async def of(self, visitor: Visitor) -> ReaderRole:
        """Where somebody stands; raises `DirectoryFailure`."""
        reports = await self._directory.reports(visitor.id)
        operator = await self._is_operator(visitor.id)
        views = [View.WAITING, View.ASKED]
        views += [View.PEOPLE] if reports else []
        views += [View.ATTENTION] if operator else []
        views += [View.ONBOARDINGS, View.CAMPAIGNS]
        return ReaderRole(reports, operator, len(reports) > PEOPLE_AT_MOST, tuple(views))

    async def _is_operator(self, person: str) -> bool:
        if not self._operators:
            return False
        try:
            return person in await self._directory.group(self._operators)
        except UnknownGroup:
            return False


def wanted(view: View, visitor: Visitor, standing: ReaderRole, filters: Filters) -> Wanted:
    """What a view has; `Refusal` for a filter that cannot be an id.

    Whoever asked for a campaign sees it once, not its 10,000 requests, unless they look for a kind or a person.
    """
    base = Wanted(
        statuses=filters.statuses,
        kind=filters.kind or None,
        overdue=filters.overdue,
        person=filters.person or None,
        types=tuple(kind.spec.workflow for kind in kinds() if filters.what in (None, kind)),
        of_campaigns=view is View.WAITING or bool(filters.kind or filters.person),
    )
    match view:
        case View.WAITING:
            if base.person not in (None, visitor.id):
                raise Refusal(phrase("Here everything waits for you: there is nobody else to look for."))
            return replace(base, person=visitor.id)
        case View.ASKED:
            return replace(base, requester=visitor.id)
        case View.PEOPLE:
            return replace(base, people=standing.reports[:PEOPLE_AT_MOST], by_person=True)
        case View.ATTENTION:
            return replace(base, attention=True)
        case View.ONBOARDINGS | View.CAMPAIGNS:
            mine = () if standing.operator else (visitor.id, *standing.reports)[:PEOPLE_AT_MOST]
            kind = Kind.ONBOARDING if view is View.ONBOARDINGS else Kind.CAMPAIGN
            return replace(base, people=mine, types=(kind.spec.workflow,))


class Right(Enum):
    """What somebody may."""

    NOTHING = auto()
    LOOK = auto()
    """Where it stands and who has acted, no reasons: whoever is above somebody who was asked."""
    OWN = auto()
    """The same, and the way to their own page."""
    EVERYTHING = auto()


def right_of(visitor: Visitor, standing: ReaderRole, shown: Shown) -> Right:
    """What somebody may with this request or task."""
    if standing.operator or shown.requester == visitor.id or shown.requester in standing.reports:
        return Right.EVERYTHING
    asked = [line.person for line in shown.lines]
    if shown.type is Kind.ONBOARDING:  # It asks nobody itself, its parts do.
        asked = [one.person for one in shown.waiting_for]
    if visitor.id in asked:
        return Right.OWN
    return Right.LOOK if any(person in standing.reports for person in asked) else Right.NOTHING
