"""One stream of lines: JSON, in UTC, ours and the libraries' alike, without anything personal or secret."""

import io
import json
import logging
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from starter.telemetry import logs
from starter.telemetry.logs import redacted


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_ours_and_the_libraries_lines_have_one_shape(stream: io.StringIO) -> None:
    logs.configure(stream=stream)
    structlog.get_logger("countersign").info("sent", request="msa-42", devices=2)
    logging.getLogger("a.library").warning("slow: %s s", 3)
    own_line, library_line = lines(stream)
    assert (own_line["event"], own_line["level"], own_line["logger"]) == ("sent", "info", "countersign")
    assert (own_line["request"], own_line["devices"]) == ("msa-42", 2)
    assert (library_line["event"], library_line["level"], library_line["logger"]) == (
        "slow: 3 s",
        "warning",
        "a.library",
    )
    for line in (own_line, library_line):
        assert datetime.fromisoformat(line["timestamp"]).utcoffset().total_seconds() == 0  # type: ignore[union-attr]


def test_the_level_is_kept_and_noisy_libraries_are_quiet(stream: io.StringIO) -> None:
    logs.configure("info", stream=stream)
    structlog.get_logger("countersign").debug("hidden")
    logging.getLogger("httpx").info("HTTP Request: GET https://sign.example/x?token=canary")
    logging.getLogger("uvicorn.access").info("GET /open/canary")
    logging.getLogger("psycopg").warning("error ignored terminating <psycopg.Pipeline>: pipeline aborted")
    assert stream.getvalue() == ""


def test_configuring_twice_does_not_double_lines(stream: io.StringIO) -> None:
    logs.configure(stream=io.StringIO())
    logs.configure(stream=stream)
    structlog.get_logger("countersign").info("once")
    assert len(lines(stream)) == 1


async def test_an_activity_says_where_it_runs_in_fields(stream: io.StringIO) -> None:
    async def speaks() -> None:
        activity.logger.info("looked")

    logs.configure(stream=stream)
    await ActivityEnvironment().run(speaks)
    (line,) = lines(stream)
    assert line["event"] == "looked"
    assert line["temporal_activity"]["workflow_id"] == "test"


def test_a_failure_that_an_activity_has_named_has_no_traceback(stream: io.StringIO) -> None:
    logs.configure(stream=stream)
    try:
        try:
            raise OSError("canary")
        except OSError as error:
            raise ApplicationError("the OAuth2 client is refused", type="credentials_refused") from error
    except ApplicationError:
        logging.getLogger("temporalio.activity").warning("Completing activity as failed", exc_info=True)
    [line] = lines(stream)
    assert (line["failure"], line["why"]) == ("credentials_refused", "the OAuth2 client is refused")
    assert "exception" not in line and "Traceback" not in stream.getvalue() and "canary" not in stream.getvalue()


def test_a_traceback_is_one_line_and_redacted(stream: io.StringIO) -> None:
    logs.configure(stream=stream)
    try:
        raise ValueError("no answer for canary@acme.example")
    except ValueError:
        structlog.get_logger("countersign").exception("failed")
    (line,) = lines(stream)
    assert "ValueError: no answer for [redacted]" in line["exception"]
    assert "test_logs.py" in line["exception"]


CANARIES = {
    "e-mail": "mail to can.ary+x@acme.example failed",
    "bearer": "authorization: Bearer canary.canary-canary",
    "jwt": "token eyJjYW5hcnk.eyJjYW5hcnkiOjF9.canary",
    "hand-off secret": "signed with whsec_canary0123",
    "query": "GET https://files.example/doc.pdf?signature=canary failed",
    "fragment": "went to https://app.example/#canary",
    "signing link": "opened https://sign.example/open/canary-canary",
    "page": "/journey/canary",
    "callback": "POST /callbacks/core-signature/canary 401",
    "device": "push to dQw4:APA91canary failed",
    "opaque": "key A1" + "canary" * 10,
    "telephone": "call +31 6 1234 5678 canary",
}


@pytest.mark.parametrize("kind", CANARIES)
def test_a_canary_in_a_text_is_hidden(kind: str) -> None:
    redacted_text = redacted(CANARIES[kind])
    assert "[redacted]" in redacted_text
    assert not any(
        part in redacted_text for part in ("can.ary", "canary.canary", "canary0", "=canary", "#canary", "1234")
    )
    assert kind == "telephone" or "canary" not in redacted_text


@pytest.mark.parametrize(
    "text",
    [
        "signature-request:msa-2026-northwind-holdings-with-a-rather-long-name-indeed.42 waits",
        "document " + "0123456789abcdef" * 4,
        'File "/srv/app/activities/core_signature/service.py", line 42',
        "run 01234567-89ab-7def-8123-456789abcdef at 2026-11-25T13:05:19.996319Z",
        "the device abcdef012345 took reminder-2 of msa-42/reminder-2/legal-desk",
        "no answer from https://sign.example/api/v1/documents/",
    ],
)
def test_ids_hashes_and_paths_stay(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    "name", ["Authorization", "access_token", "client_secret", "embed_url", "email", "full_name", "password", "mobile"]
)
def test_a_field_with_a_telling_name_is_hidden_wherever_it_stands(stream: io.StringIO, name: str) -> None:
    logs.configure(stream=stream)
    structlog.get_logger("countersign").info("x", **{name: "canary"}, nested={"deep": [{name: ["canary"]}]})
    assert "canary" not in stream.getvalue()
    assert lines(stream)[0]["nested"] == {"deep": [{name: "[redacted]"}]}


def test_text_of_others_cannot_forge_a_line_on_a_terminal(stream: io.StringIO) -> None:
    logs.configure(stream=stream, json=False)
    structlog.get_logger("countersign").info("declined\n2026 [info] all signed\x1b[2J", reason="a\r\nb\u202e")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b[2J" not in stream.getvalue()
    assert "\u202e" not in stream.getvalue()


def test_objects_are_shown_as_redacted_text(stream: io.StringIO) -> None:
    logs.configure(stream=stream)
    structlog.get_logger("countersign").info("x", error=ValueError("canary@acme.example"), none=None, flag=True)
    (line,) = lines(stream)
    assert (line["error"], line["none"], line["flag"]) == ("[redacted]", None, True)


@pytest.mark.parametrize("text", ["a", "a.b@", "http://", "-eyJ", "a:APA91", "aB1~", "+1 ", "Token ", "/open/"])
def test_a_long_text_is_redacted_in_a_time_that_grows_with_its_length(text: str) -> None:
    began = time.process_time()
    redacted(text * (200_000 // len(text)))
    assert time.process_time() - began < 1
