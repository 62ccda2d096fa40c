"""Who was asked: each place of a request as it was sent to Core Signature, at which address, after whom.

Whose signature something is is told by this alone. The directory of the day says how people are reached, and is
corrected, renamed and at times unreadable while a request waits.
"""

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from activities.store.failures import StoreFailure
from activities.store.home import StoragePrefix
from activities.store.store import Store
from workflows.model.subject import Role


class SignerSnapshot(BaseModel):
    """Somebody who was asked; `instead_of` is the signer whose place they took, at sending or later."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    person: str
    order: int
    role: Role
    email: str = Field(repr=False)
    embed_user: str | None = None
    """What the provider was told of whom the signing page is for, if it was asked for one."""
    instead_of: str | None = None


Places = tuple[SignerSnapshot, ...]
_PLACES: Final = TypeAdapter(Places)


class SignerSnapshots:
    """The places of requests, kept beside the signers they brought along; raises `StoreFailure`s.

    Kept before the provider is called, since an answer may be lost, and only ever added to: what was sent and what is
    added with a later attempt may both be what the provider has.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(self, request: str, places: Sequence[SignerSnapshot]) -> None:
        """Remember what is about to be sent; repeated, it changes nothing."""
        await self._store.add_asked(
            StoragePrefix.of_request(request), _PLACES.dump_json(tuple(places), exclude_none=True)
        )

    async def of(self, request: str) -> Places:
        """Every place that was ever sent for a request, none when nothing was."""
        kept = await self._store.read_asked(StoragePrefix.of_request(request))
        return tuple(place for content in kept for place in _places(content))


def _places(content: bytes) -> Places:
    try:
        return _PLACES.validate_json(content)
    except ValidationError:
        # Its text would repeat addresses.
        raise StoreFailure("who was asked to sign this request cannot be read from the store") from None
