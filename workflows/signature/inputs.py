"""What the workflow of a signature request is started with."""

from workflows.follow_up.inputs import FollowUpInput
from workflows.model.base import Packed
from workflows.model.request import SignatureBrief
from workflows.model.subject import Role, Subject
from workflows.signature.progress import SignatureState


class SignatureInput(FollowUpInput):
    """Input of the workflow; `carried` is set by continue-as-new only."""

    brief: SignatureBrief
    carried: Packed[SignatureState | None] = None

    @property
    def subject(self) -> Subject:
        """The request, with the signers it was asked for with."""
        return self.brief.subject

    @property
    def first_turn(self) -> tuple[str, ...]:
        """The signers of the lowest order."""
        signers = [one for one in self.brief.people if one.role is not Role.COPY]
        first = min((one.order for one in signers), default=0)
        return tuple(one.person for one in signers if one.order == first)
