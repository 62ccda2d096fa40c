"""What Temporal answers when it does not do what it was asked, as one line for the person at the terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from temporalio.service import RPCError, RPCStatusCode

from activities.rpc_errors import about_the_namespace
from starter.error_types import Refusal

_SILENT: Final = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)


class TemporalRefused(Refusal):
    """Temporal did not do what it was asked: what it said, and what to do where that is known."""

    def __init__(self, error: RPCError, namespace: str) -> None:
        super().__init__(_sentence(error, namespace))


@contextmanager
def refusing(namespace: str) -> Iterator[None]:
    """Turn what Temporal answers in the block, and nobody there expects, into `TemporalRefused`."""
    try:
        yield
    except RPCError as error:
        raise TemporalRefused(error, namespace) from error


def _sentence(error: RPCError, namespace: str) -> str:
    if about_the_namespace(error):
        return f"namespace {namespace} does not exist: make it, or set TEMPORAL_NAMESPACE"
    heard = "did not answer:" if error.status in _SILENT else "answered"
    status, message = error.status.name.lower().replace("_", " "), " ".join(error.message.split())
    return f"Temporal {heard} {status}" + (f": {message}" if message else "")
