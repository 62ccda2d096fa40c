"""Error bodies in every shape, and shapes nobody has thought of."""

import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from activities.http.error_bodies import explain
from activities.http.transport import MOST_ERROR_BYTES

FCM = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD = "type.googleapis.com/google.rpc.BadRequest"


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"detail": "Not found."}, "Not found.", None),
        ({"signers": ["This field is required."]}, "signers: This field is required.", None),
        (
            {"signers": [{}, {"email": ["Enter a valid email address."]}]},
            "signers[1].email: Enter a valid email address.",
            None,
        ),
        ({"non_field_errors": ["One", "Two"]}, "One; Two", None),
        ({"errors": {"document": ["Invalid hyperlink."]}}, "document: Invalid hyperlink.", None),
        (["First", "Second"], "First; Second", None),
        ({"error": "invalid_client", "error_description": "Unknown"}, "invalid_client: Unknown", "invalid_client"),
        ({"error": "invalid_client"}, "invalid_client", "invalid_client"),
        (
            {"fault": {"faultstring": "Invalid ApiKey", "detail": {"errorcode": "oauth.v2.InvalidApiKey"}}},
            "Invalid ApiKey",
            "oauth.v2.InvalidApiKey",
        ),
        ({"fault": {}}, "a fault of the gateway", None),
        ({"key": "fault", "errorMessage": "No such app", "entity": None, "status": 400}, "No such app", "fault"),
        (
            {
                "error": {
                    "code": 404,
                    "message": "Requested entity was not found.",
                    "status": "NOT_FOUND",
                    "details": [{"@type": FCM, "errorCode": "UNREGISTERED"}],
                }
            },
            "Requested entity was not found.",
            "UNREGISTERED",
        ),
        (
            {
                "error": {
                    "code": 400,
                    "message": "Bad message.",
                    "status": "INVALID_ARGUMENT",
                    "details": [{"@type": BAD, "fieldViolations": [{"field": "message.token", "description": "odd"}]}],
                }
            },
            "Bad message.; message.token: odd",
            "INVALID_ARGUMENT",
        ),
        ({"error": {"status": "UNAVAILABLE"}}, "no message", "UNAVAILABLE"),
        ({}, "no explanation", None),
        (None, "no explanation", None),
    ],
)
def test_each_shape_is_understood(body: object, message: str, code: str | None) -> None:
    explained = explain(json.dumps(body).encode())
    assert (explained.says, explained.error_code) == (message, code)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "an empty body"),
        (b"plain words", "plain words"),
        (b"<html><head><title>502 Bad Gateway</title></head></html>", "a page of HTML: 502 Bad Gateway"),
        (b"<h1>Maintenance &amp; repair</h1><script>x()</script>", "a page of HTML: Maintenance & repair"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 60_000, "[" * 60_000),
    ],
)
def test_what_is_no_json_is_quoted(body: bytes, message: str) -> None:
    assert explain(body).says == message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["error", "fault", "detail", "errors", "x"]), inner)
    ),
)


@given(JSON)
@example({"error": ""})
def test_no_json_is_too_odd(body: object) -> None:
    explained = explain(json.dumps(body).encode())
    assert explained.says


@given(st.binary())
def test_no_bytes_are_too_odd(body: bytes) -> None:
    assert explain(body).says


@pytest.mark.parametrize("piece", ["<", "<script>", "<title", "<style x", "</", "<!--"])
def test_a_page_ten_times_the_cap_is_read_in_one_pass(piece: str) -> None:
    """Read with a look ahead to the end from every place, this takes minutes of processor time."""
    page = piece * (10 * MOST_ERROR_BYTES // len(piece))
    started_at = time.process_time()
    assert explain(page.encode()).says.startswith("a page of HTML")
    assert time.process_time() - started_at < 2


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("<html><head><TITLE lang=en>502 Bad &amp; Gateway</title></head><body>nginx</body>", "502 Bad & Gateway"),
        ("<script>var a = '<b>';</script><p>Down for <b>maintenance</b></p>", "Down for maintenance"),
        ("<style>p { x: y }</style><title></title><h1>Away</h1>", "Away"),
        ("<p>never closed", "never closed"),
    ],
)
def test_of_a_page_its_title_is_quoted_or_else_its_words(page: str, message: str) -> None:
    assert explain(page.encode()).says == f"a page of HTML: {message}"
