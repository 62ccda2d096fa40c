"""What the workflow of a signature request is started with."""

from workflows.follow_up.inputs import FollowUpInput
from workflows.model.base import Packed
from workflows.model.request import Brief
from workflows.model.subject import Subject
from workflows.signature.progress import Progress


class SignatureRequest(FollowUpInput):
    """Input of the workflow; `carried` is set by continue-as-new only."""

    brief: Brief
    carried: Packed[Progress | None] = None

    @property
    def subject(self) -> Subject:
        """The request, with the signers it was asked for with."""
        return self.brief.subject
