"""Ids as people type them: the own one of a request or a task, or its whole workflow id."""

import re

from activities.spelling import ID_PATTERN
from starter.error_types import Refusal
from workflows.kinds import Kind, WorkflowName, named


def is_request_id(text: str) -> bool:
    """Whether a request may have this id; what may not would lead elsewhere in the store."""
    return re.fullmatch(ID_PATTERN, text) is not None


def request_id(typed: str) -> str:
    """The request's id; see `id_of`."""
    return id_of(Kind.REQUEST, typed)


def id_of(kind: Kind, typed: str) -> str:
    """The id of one of this kind; `Refusal` for the workflow id of something else, and for what cannot be an id."""
    prefix = kind.workflow_id("")
    id = typed.removeprefix(prefix)
    if not is_request_id(id):
        raise Refusal(
            f'"{typed}" is no {kind}: expected an id of 1-100 characters of A-Z a-z 0-9 . _ -, or {prefix}<id>'
        )
    return id


def followed_up(typed: str) -> WorkflowName:
    """What has this workflow id, or the request of this id; `Refusal` for what is neither."""
    kind = known.kind if (known := named(typed)) else Kind.REQUEST
    return WorkflowName(kind, id_of(kind, typed))
