"""What the workflow of a signature request is started with."""

from workflows.follow_up.inputs import FollowUpInput
from workflows.model.base import Packed
from workflows.signature.progress import Progress


class SignatureRequest(FollowUpInput):
    """Input of the workflow; `carried` is set by continue-as-new only."""

    carried: Packed[Progress | None] = None
