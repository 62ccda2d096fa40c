"""Whole processes whose clock is ten minutes off: people come in, and what is started begins at once."""

import os
import re
from html import unescape
from pathlib import Path

import httpx
import pytest

from starter.boot.processes import ROOT
from tests.stack.laptop import Laptop, eventually, running

pytestmark = [pytest.mark.long, pytest.mark.real_server]

SKEWED = Path(__file__).with_name("skewed")
_INPUT = re.compile(r"<input[^>]*>")
_OF_INPUT = re.compile(r'(name|value)="([^"]*)"')


def press(browser: httpx.Client, page: httpx.Response, **typed: str) -> httpx.Response:
    """The first form of a page, sent with what is typed."""
    form = page.text[page.text.index("<form") :].partition("</form>")[0]
    action = re.search(r'action="([^"]*)"', form)
    fields = [dict(_OF_INPUT.findall(tag)) for tag in _INPUT.findall(form)]
    sent = {field["name"]: unescape(field.get("value", "")) for field in fields if "name" in field}
    address = page.url.join(unescape(action[1])) if action and action[1] else page.url
    return browser.post(address, data=sent | typed, headers={"origin": str(page.url.join("/")).rstrip("/")})


def come_in(laptop: Laptop, person: str) -> httpx.Response:
    """The desk of somebody who asked for a way in and took the link on their phone."""
    with httpx.Client(base_url=laptop.addresses["receiver"], follow_redirects=True) as browser:
        response = press(browser, browser.get("/desk"), who=person)
        assert response.status_code == 200, response.text
        inbox = f"{laptop.addresses['sandbox']}/inbox/{person}/screen"
        link = eventually(lambda: re.search(r'href="([^"]*/desk/in/[^"]*)"', httpx.get(inbox).text))
        assert link, httpx.get(inbox).text
        return press(browser, browser.get(unescape(link[1])))


@pytest.mark.parametrize(
    ("skewed", "receiver"), [("webhook=600,worker=-600", "ahead"), ("webhook=-600,worker=600", "behind")]
)
def test_with_clocks_ten_minutes_off_people_come_in_and_parts_begin_at_once(
    folder: Path, skewed: str, receiver: str
) -> None:
    """`doctor` and the log of the worker name the clock."""
    with running(folder, PYTHONPATH=os.pathsep.join((str(SKEWED), str(ROOT))), SKEWED=skewed) as laptop:
        laptop.answer("onboard", "start", str(laptop.example.with_name("acme.yaml")))

        def is_begun() -> bool:
            [first, *_] = laptop.answer("onboard", "show", "acme")["stages"]
            return all(part["state"] == "open" for part in first["agreements"])

        assert eventually(is_begun)
        desk = come_in(laptop, "account-executive")
        assert desk.status_code == 200 and "Waiting for me" in desk.text, desk.text
        doctor = laptop.type("doctor", "--json").stdout
        assert re.search(rf"clock[^\"]*{receiver}", doctor), doctor
        assert re.search(r'"event": "[^"]*clock', (folder / "logs" / "worker.log").read_text())
