"""Who may see and do what: who asked for it and whoever is above them everything, who was asked their own. Pure."""

from enum import Enum, auto

from starter.desk.authentication import Visitor
from starter.desk.views import ReaderRole
from workflows.kinds import Kind
from workflows.model.views import Shown


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
