"""The Web UI of a stack whose payloads are encrypted: its pages read them by our codec, as does the command line."""

import base64
import json
import subprocess
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.async_api import Browser, expect

from deploy.local.stack import temporal_binary
from tests.stack.laptop import Laptop, clean, running

pytestmark = [pytest.mark.long, pytest.mark.browser, pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]

TITLE = "Master services agreement"
DESK = {"width": 1440, "height": 1000}


async def test_the_web_ui_of_an_encrypted_stack_is_readable_and_histories_are_not(
    browser: Browser, tmp_path: Path
) -> None:
    with running(tmp_path / "data", "--encrypted") as laptop:
        url = laptop.answer("request", "start", str(laptop.example))["url"]
        laptop.wait_for_view("msa-0042", lambda view: view["notifications"])
        context = await browser.new_context(viewport=DESK)  # type: ignore[arg-type]
        try:
            page = await context.new_page()
            await page.goto(url)
            await expect(page.frame_locator("iframe").first.get_by_text(TITLE)).to_be_visible()
            await expect(page.frame_locator("iframe").last.get_by_role("heading", name="Waiting for")).to_be_visible()
            await page.goto(url.replace("/user-metadata", "/memo"))
            await expect(page.get_by_text(f'"document": "{TITLE}"')).to_be_visible()
        finally:
            await context.close()
        assert title_in_history(laptop) == ""
        receiver, token = laptop.addresses["receiver"], laptop.addresses["env"]["COUNTERSIGN_CODEC_TOKEN"]
        codec = ("--codec-endpoint", f"{receiver}/codec", "--codec-auth", f"Bearer {token}")
        assert title_in_history(laptop, *codec) == json.dumps(TITLE)
        assert called_from(laptop, "http://127.0.0.1:1") == 403


def title_in_history(laptop: Laptop, *codec: str) -> str:
    """What the command of Temporal reads as the document's name; empty if it is encrypted."""
    arguments = ("workflow", "show", "--workflow-id", "signature-request:msa-0042", "-o", "json", *codec)
    address = ("--address", laptop.addresses["temporal"])
    process = subprocess.run((temporal_binary(), *arguments, *address), env=clean(), capture_output=True, check=True)  # noqa: S603  ours
    [begin, *_] = json.loads(process.stdout)["events"]
    document = begin["workflowExecutionStartedEventAttributes"]["memo"]["fields"]["document"]
    return "" if "encryption-key-id" in document["metadata"] else base64.b64decode(document["data"]).decode()


def called_from(laptop: Laptop, origin: str) -> int:
    """What a page of another address is answered."""
    headers = {"origin": origin, "content-type": "application/json"}
    call = Request(f"{laptop.addresses['receiver']}/codec/decode", b"{}", headers)  # noqa: S310  our own
    try:
        with urlopen(call) as answer:  # noqa: S310  as above
            return int(answer.status)
    except HTTPError as error:
        return error.code
