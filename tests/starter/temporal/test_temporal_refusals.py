"""What Temporal answers when it does not do what it was asked: one line for the terminal, never an internal error."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest
from temporalio.service import RPCError, RPCStatusCode

from activities.files.reading import FileFaults
from activities.launch.request_file import PreparedRequest
from activities.policies.cascade import ResolvedPolicy
from activities.records.ended import ListFilter
from starter.cli import start_files
from starter.config.settings import load
from starter.queries import commands
from starter.queries import lists as pages
from starter.queries.fast_forward import forward, span
from starter.temporal.connection import Context, TemporalRefusal, opened, refusing
from starter.temporal.search_attributes import ensure_search_attributes
from tests.starter.terminal import make_complete_environment, type_
from tests.workflows.stage import a_request
from workflows.model.commands import PauseCommand

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="module")]

MSA: Final = "msa-0042"
NOWHERE: Final = "namespace nowhere does not exist: make it, or set TEMPORAL_NAMESPACE"
Word = Callable[[Context], Awaitable[object]]
WORDS: Final[dict[str, Word]] = {
    "list": lambda context: pages.page(context, ListFilter(attention=False)),
    "show": lambda context: start_files.show(context, MSA),
    "start": lambda context: start_files.start(context, make_prepared_request()),
    "start, overdue": lambda context: start_files.start(context, make_prepared_request(FileFaults([]))),
    "pause": lambda context: commands.make(context, MSA, PauseCommand(actor="legal-desk")),
    "fast-forward": lambda context: forward(context.client, MSA, span("1d")),
    "init": lambda context: ensure_search_attributes(context.client),
}


def make_prepared_request(overdue: FileFaults | None = None) -> PreparedRequest:
    """A request that only has to be started."""
    request = a_request(name=MSA)
    return PreparedRequest(request, ResolvedPolicy(request.policy, (), {}), None, None, overdue)


@pytest.mark.parametrize("command", WORDS.values(), ids=WORDS)
async def test_a_namespace_that_does_not_exist_is_named_by_every_word(
    command: Word, dev_server: str, tmp_path: Path
) -> None:
    """For a request it reads as if nobody knew it, though it may live next door."""
    nowhere = {"TEMPORAL_ADDRESS": dev_server, "TEMPORAL_NAMESPACE": "nowhere", "COUNTERSIGN_DATA_DIR": str(tmp_path)}
    with pytest.raises(TemporalRefusal, match=f"^{NOWHERE}$"):
        async with opened(load(environment=nowhere)) as context:
            await command(context)


@pytest.mark.long
@pytest.mark.parametrize("typed", [("request", "list"), ("worker",)], ids=" ".join)
async def test_that_is_the_one_line_of_command_and_process(
    typed: tuple[str, ...], dev_server: str, tmp_path: Path
) -> None:
    process = type_(
        *typed, TEMPORAL_ADDRESS=dev_server, TEMPORAL_NAMESPACE="nowhere", **make_complete_environment(tmp_path)
    )
    assert (process.returncode, process.stderr) == (1, f"{NOWHERE}\n")


@pytest.mark.parametrize(
    ("status", "message", "expected_text"),
    [
        (RPCStatusCode.PERMISSION_DENIED, "Request unauthorized.", "Temporal answered permission denied: "),
        (RPCStatusCode.UNAVAILABLE, "tcp connect error", "Temporal did not answer: unavailable: "),
        (RPCStatusCode.INVALID_ARGUMENT, "two\nlines", "Temporal answered invalid argument: two lines"),
        (RPCStatusCode.NOT_FOUND, "", "Temporal answered not found"),
    ],
)
async def test_any_other_answer_is_told_with_its_status_in_one_line(
    status: RPCStatusCode, message: str, expected_text: str
) -> None:
    with pytest.raises(TemporalRefusal) as refused, refusing("default"):
        raise RPCError(message, status, b"")
    assert str(refused.value).startswith(expected_text)
    assert "\n" not in str(refused.value)
