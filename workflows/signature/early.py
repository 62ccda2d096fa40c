"""A callback that may have come before the document shows what it tells of. Pure."""

from typing import Self

from workflows.model.base import Model
from workflows.model.provider import SIGNER_SIGNED, ProviderEvent


class UnconfirmedSignature(Model):
    """Whether a callback has `told` of a signature since the document was read last, and whether that reading, which
    was for such a one, has shown none: it is then `in_doubt`, and read once more."""

    told: bool = False
    in_doubt: bool = False

    def hinted(self, event: ProviderEvent) -> Self:
        """After a callback."""
        return self.replace(told=True) if event.type == SIGNER_SIGNED else self

    def read(self, *, told: bool, shows: bool) -> Self:
        """After a reading for callbacks that had `told` of a signature, or for others."""
        return self.replace(in_doubt=told and not shows)
