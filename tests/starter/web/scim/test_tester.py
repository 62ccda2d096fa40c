"""The endpoint before `scim2-tester`, which holds servers against the specification."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_tester import Status, check_server

from starter.web.scim.endpoint import ROOT
from tests.starter.web.scim.directory import BASE, PushingDirectory

WRONG: Final = (Status.ERROR, Status.CRITICAL, Status.DEVIATION)
KNOWN: Final = (
    "search_with_attributes: Not Found",  # there is no /.search
    "check_add_attribute: PATCH modify() returned unexpected value for 'emails'",  # the one written below is there too
    "check_remove_attribute: Failed to remove attribute 'emails'",  # nothing else reaches them
    "check_remove_attribute: PATCH modify() did not remove attribute 'active'",  # who has no state is there
    "check_add_attribute: Attribute 'members' was not added or has unexpected",  # answers have no $ref
    "check_replace_attribute: Attribute 'members' was not replaced or has unexpected",
)


def bridge(directory: PushingDirectory, loop: asyncio.AbstractEventLoop) -> Callable[..., list[bytes]]:
    """The endpoint as the tester calls it: from another thread, without a network."""

    def answer(environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], None]) -> list[bytes]:
        body = environ["wsgi.input"].read()
        if body and environ["PATH_INFO"].startswith(f"{ROOT}/Users") and environ["REQUEST_METHOD"] in ("POST", "PUT"):
            # It writes what a user must have by the schema alone; here they must be reached as well.
            user = json.loads(body)
            body = json.dumps({"displayName": "Ada", "emails": [{"value": "ada@company.example"}]} | user).encode()
        request = directory.client.request(
            environ["REQUEST_METHOD"],
            f"{BASE}{environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}",
            content=body,
            headers={name[5:].replace("_", "-"): text for name, text in environ.items() if name.startswith("HTTP_")},
        )
        response = asyncio.run_coroutine_threadsafe(request, loop).result(timeout=10)
        start_response(f"{response.status_code} {response.reason_phrase}", [*response.headers.items()])
        return [response.content]

    return answer


@pytest.mark.long
async def test_the_tester_of_servers_finds_nothing_wrong(directory: PushingDirectory) -> None:
    application = bridge(directory, asyncio.get_running_loop())
    results = await asyncio.to_thread(check_server, WSGISCIMClient(application, f"{BASE}{ROOT}"))
    assert Status.SUCCESS in {result.status for result in results}
    wrong = {f"{result.title}: {result.reason}" for result in results if result.status in WRONG}
    assert {sentence for sentence in wrong if not sentence.startswith(KNOWN)} == set()
