"""Ids as people type them: the request's own, or its whole workflow id."""

import re
from typing import Final

from activities.spelling import ID_PATTERN
from starter.exits import Refusal
from workflows.names import request_workflow_id

_PREFIX: Final = request_workflow_id("")


def is_request_id(text: str) -> bool:
    """Whether a request may have this id; what may not would lead elsewhere in the store."""
    return re.fullmatch(ID_PATTERN, text) is not None


def request_id(typed: str) -> str:
    """The request's id; `Refusal` for the workflow id of something else, and for what cannot be an id."""
    id = typed.removeprefix(_PREFIX)
    if not is_request_id(id):
        raise Refusal(
            f"{typed} is not a request: expected an id of 1-100 characters of A-Z a-z 0-9 . _ -, or {_PREFIX}<id>"
        )
    return id
