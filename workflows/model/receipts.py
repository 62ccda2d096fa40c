"""What becomes of a wish: the line that the memory keeps of it, and the short receipt that its update answers."""

from enum import StrEnum
from hashlib import sha256
from typing import Final

from pydantic import AwareDatetime

from workflows.model.base import Model
from workflows.model.rejections import Rejection
from workflows.model.subject import Status
from workflows.model.views import Next

ID_AT_MOST: Final = 64
"""Bytes of an operation's id, its word included."""
RECEIPT_BYTES_AT_MOST: Final = 1_024
"""What a receipt may take of a history, whatever the texts of the request."""
OTHER_CONTENT: Final = Rejection.OTHER_CONTENT.says()
_WHO: Final = {"actor": True, "op": True}
"""Fields that say who wants it and under what name."""


class OperationState(StrEnum):
    """Whether what was wished has been carried out."""

    OPEN = "open"
    DONE = "done"
    REFUSED = "refused"


class Operation(Model):
    """One wish that was taken, once for each `id`; `says` is what is to be done, what was done, or why it was not.

    `about` tells apart operations of the same word that end at different times.
    """

    id: str
    what: str
    digest: str
    at: AwareDatetime
    by: str
    state: OperationState = OperationState.OPEN
    says: str = ""
    about: str = ""


class Outstanding(Model):
    """Something that was wished and is still to be done, and since when."""

    what: str
    since: AwareDatetime


class Receipt(Model):
    """The answer of every update, and how one operation stands later; never more than `RECEIPT_BYTES_AT_MOST`.

    `status`, `says` and `next` are the request's; `state` and `detail` are the operation's. `outstanding` are the
    oldest operations that are still to be done, `further` how many there are beside them.
    """

    id: str
    status: Status
    op: str
    says: str
    state: OperationState
    detail: str = ""
    digest: str = ""
    next: Next | None = None
    outstanding: tuple[Outstanding, ...] = ()
    further: int = 0


def digest_of(wish: Model) -> str:
    """What a wish wants, as a few characters: the same whoever sends it, under whatever name.

    Of a field that is added later the default is left out, so that old and new code agree.
    """
    content = wish.model_dump_json(exclude=_WHO, exclude_defaults=True)
    return sha256(f"{type(wish).__name__} {content}".encode()).hexdigest()[:16]
