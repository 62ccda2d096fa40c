"""Ids of people described in full in a file: `p-<12 hex>` of their address; commands also take `signer-<position>`."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Final, Protocol

from pydantic import SecretStr

_IN_FULL: Final = r"p-[0-9a-f]{12}"
_POSITION: Final = r"signer-([0-9]+)"
_OF_AN_ID: Final = 12


class Addressed(Protocol):
    @property
    def address(self) -> str:
        """As `contact_address` has it."""


def contact_address(email: str | None, phone: str | None) -> str:
    """What tells people described in full apart: the e-mail address, else the number in E.164."""
    return email or "".join(character for character in phone or "" if character in "+0123456789")


def id_of_address(address: str, secret: SecretStr) -> str:
    """The id of a person outside the directory: equal for equal addresses, and not reversible."""
    digest = hmac.new(secret.get_secret_value().encode(), address.casefold().encode(), hashlib.sha256)
    return f"p-{digest.hexdigest()[:_OF_AN_ID]}"


def ids_in_full(
    named: Iterable[Addressed | None], workflow_id: str, secret: SecretStr | None
) -> tuple[str | None, ...]:
    """Ids of people described in full, in file order; None for others. Without a secret, and for a repeated address,
    from workflow id and position.
    """
    ids: list[str | None] = []
    for position, entry in enumerate(named, start=1):
        id = id_of_address(entry.address, secret) if entry and secret else None
        if entry is not None and (id is None or id in ids):
            id = f"p-{hashlib.sha256(f'{workflow_id}/{position}'.encode()).hexdigest()[:_OF_AN_ID]}"
        ids.append(id)
    return tuple(ids)


def stands_in_full(id: str) -> bool:
    """Whether it is an id, or position word, of a person described in full."""
    return re.fullmatch(f"{_IN_FULL}|{_POSITION}", id) is not None


def position_word(position: int) -> str:
    """The command word for a position, counted from 1."""
    return f"signer-{position}"


def position_of(signer: str) -> int | None:
    """The position of `signer-2`, counted from 1; None for other words."""
    match = re.fullmatch(_POSITION, signer)
    return int(match[1]) if match else None
