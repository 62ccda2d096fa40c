"""Ids as people type them: the request's own, or its whole workflow id."""

from starter.exits import Refusal
from workflows.names import request_workflow_id

_PREFIX = request_workflow_id("")


def request_id(typed: str) -> str:
    """The request's id; `Refusal` for the workflow id of something else."""
    id = typed.removeprefix(_PREFIX)
    if ":" in id:
        raise Refusal(f"{typed} is not a request: expected an id, or {_PREFIX}<id>")
    return id
