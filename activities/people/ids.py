"""Ids of people given in full in a file: `p-<12 hex>` of their address; commands also take `signer-<position>`."""

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
    """Somebody with an e-mail address."""

    @property
    def email(self) -> str:
        """The address as the file has it."""


def id_of_address(email: str, secret: SecretStr) -> str:
    """The id of somebody who is in no directory: the same for the same address, and nothing of it can be read back."""
    told = hmac.new(secret.get_secret_value().encode(), email.casefold().encode(), hashlib.sha256)
    return f"p-{told.hexdigest()[:_OF_AN_ID]}"


def ids_in_full(
    named: Iterable[Addressed | None], workflow_id: str, secret: SecretStr | None
) -> tuple[str | None, ...]:
    """The ids of those who stand in full, in the order of their file; None for people of the directory.

    Of an address the id is the same in every file. Without a secret, and of an address that is there twice, it is made
    of the workflow's id and the position.
    """
    ids: list[str | None] = []
    for position, one in enumerate(named, start=1):
        id = id_of_address(one.email, secret) if one and secret else None
        if one is not None and (id is None or id in ids):
            id = f"p-{hashlib.sha256(f'{workflow_id}/{position}'.encode()).hexdigest()[:_OF_AN_ID]}"
        ids.append(id)
    return tuple(ids)


def stands_in_full(id: str) -> bool:
    """Whether an id is that of somebody who stands in full in a file, or the word for their position in it."""
    return re.fullmatch(f"{_IN_FULL}|{_POSITION}", id) is not None


def position_word(position: int) -> str:
    """The word by which commands take whoever stands at this position of a file, counted from 1."""
    return f"signer-{position}"


def position_of(word: str) -> int | None:
    """The position, counted from 1, that a word such as `signer-2` stands for; None for any other word."""
    match = re.fullmatch(_POSITION, word)
    return int(match[1]) if match else None
