"""What a call of a Nexus operation is made of."""

from workflows.model.base import Model
from workflows.model.policy import NexusOperation
from workflows.model.settlement import Told


class OperationOrder(Model):
    """The operation, the facts that are its only argument, and the key that its handler tells a repetition by."""

    operation: NexusOperation
    told: Told
    key: str
