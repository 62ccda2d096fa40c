"""Who may see and do what with a request: who asked and whoever is above them everything, signers their own. Pure."""

from enum import Enum, auto

from starter.desk.door import Visitor
from starter.desk.views import Standing
from workflows.model.views import RequestShow


class Right(Enum):
    """What somebody may."""

    NOTHING = auto()
    LOOK = auto()
    """Where it stands and who has signed, no reasons: whoever is above a signer."""
    SIGN = auto()
    """The same, and the way to their own page."""
    EVERYTHING = auto()


def right_of(visitor: Visitor, standing: Standing, shown: RequestShow) -> Right:
    """What somebody may with this request."""
    if standing.operator or shown.requester == visitor.id or shown.requester in standing.reports:
        return Right.EVERYTHING
    signers = [line.person for line in shown.signers]
    if visitor.id in signers:
        return Right.SIGN
    return Right.LOOK if any(person in standing.reports for person in signers) else Right.NOTHING
