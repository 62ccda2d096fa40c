"""The company's directory says that somebody has left: their ways in end, and who asked sees whom to ask instead."""

import json
import re
from asyncio import to_thread
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from html import unescape
from typing import Any, Final

import httpx
import pytest
from playwright.async_api import Page, expect

from activities.records.directory import MANY_LEAVE
from deploy.demo.chromium import chromium, executable
from deploy.sandbox.oidc.provider import ROOT as PROVIDER
from deploy.sandbox.state.settings import SandboxSettings
from starter.web.scim.endpoint import ROOT as SCIM
from tests.browser.phone import page_of
from tests.plain_http import plain_client
from tests.servers import free_ports
from tests.stack.laptop import Laptop, eventually, running
from tests.starter.web.desk.office import text_of
from tests.starter.web.scim.directory import GROUP, PATCH, user_of

pytestmark = [pytest.mark.real_server, pytest.mark.long, pytest.mark.browser]

LEAVER, MANAGER, REQUESTER, COLLEAGUE = "chief-executive", "chair", "legal-desk", "operating-officer"
OPERATOR = "on-call"
CLIENT: Final = SandboxSettings()
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """A stack whose people are in the database, and sign in by the sandbox's provider."""
    folder = tmp_path_factory.mktemp("company")
    [sandbox] = free_ports(1)
    (folder / "kept.json").write_text(json.dumps({"ports": {"sandbox": sandbox}}))
    with running(
        folder,
        COUNTERSIGN_PEOPLE="database",
        COUNTERSIGN_OPERATORS="operators",
        COUNTERSIGN_OIDC_ISSUER=f"http://127.0.0.1:{sandbox}{PROVIDER}",
        COUNTERSIGN_OIDC_AUDIENCE=CLIENT.oidc_client_id,
        COUNTERSIGN_OIDC_CLIENT_ID=CLIENT.oidc_client_id,
        COUNTERSIGN_OIDC_CLIENT_SECRET=CLIENT.oidc_client_secret,
    ) as laptop:
        laptop.answer("people", "import", str(folder / "example" / "people.yaml"))
        yield laptop


@asynccontextmanager
async def pushing(laptop: Laptop) -> AsyncIterator[httpx.AsyncClient]:
    """The company's directory, before the running web process."""
    token = (await to_thread(laptop.answer, "token", "new", "entra", "--may", "directory"))["token"]
    headers = {"authorization": f"Bearer {token}", "content-type": "application/scim+json"}
    try:
        async with plain_client(f"{laptop.addresses['receiver']}{SCIM}", headers=headers, timeout=30) as directory:
            yield directory
    finally:
        await to_thread(laptop.answer, "token", "revoke", "entra")


async def push(directory: httpx.AsyncClient, id: str) -> str:
    """Somebody of the directory; their id."""
    emails = [{"type": "work", "value": f"{id}@supplier.test"}]
    answer = await directory.post("/Users", json=user_of(id, userName=f"{id}@supplier.test", emails=emails))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def deactivate(directory: httpx.AsyncClient, id: str) -> None:
    """As Entra does."""
    operations = [{"op": "Replace", "path": "active", "value": "False"}]
    answer = await directory.patch(f"/Users/{id}", json={"schemas": [PATCH], "Operations": operations})
    assert (answer.status_code, answer.json()["active"]) == (200, False)


async def sign_in(browser: httpx.AsyncClient, person: str) -> httpx.Response:
    """With the company's account; the page that the browser is led to."""
    page = await browser.get("/desk")
    link = re.search(r'href="([^"]+)">Sign in with the company', page.text)
    assert link, text_of(page)
    at_provider = await browser.get(unescape(link[1]))
    page = await browser.post(at_provider.url, data={"email": f"{person}@supplier.test"})
    back = re.search(r'href="([^"]+)"', page.text)
    assert back, page.text
    return await browser.get(unescape(back[1]))


async def sign_in_by_hand(page: Page, base: str, person: str) -> None:
    await page.goto(f"{base}/desk")
    await page.get_by_role("link", name="Sign in with the company's account").click()
    await page.get_by_label("Email address").fill(f"{person}@supplier.test")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="At a glance")).to_be_visible()


async def issue_token(laptop: Laptop, person: str) -> str:
    """A token of the provider for a program of theirs."""
    client = {"client_id": CLIENT.oidc_client_id}
    async with plain_client(f"{laptop.addresses['sandbox']}{PROVIDER}") as provider:
        codes = (await provider.post("/device_authorization", data=client)).json()
        form = {"user_code": codes["user_code"], "email": f"{person}@supplier.test"}
        (await provider.post("/device", data=form)).raise_for_status()
        form = {"grant_type": DEVICE_GRANT, "device_code": codes["device_code"], **client}
        return str((await provider.post("/token", data=form)).json()["id_token"])


def start(laptop: Laptop, id: str, signer: str) -> None:
    file = laptop.request(id)
    text = file.read_text().replace(
        "  - person: customer-signer\n  - person: chief-executive\n", f"  - person: {signer}\n"
    )
    file.write_text(text.replace("alternates: [operating-officer]", "alternates: [account-executive]"))
    laptop.answer("request", "start", str(file))
    assert laptop.wait_for_view(id, lambda view: [place["person"] for place in view["waiting_for"]] == [signer])


def sweep(laptop: Laptop, id: str) -> Any:
    """The reasons for attention of a request, after a sweep has told it who left."""
    laptop.answer("reconcile")
    return laptop.answer("request", "show", id)["attention"]


async def test_who_has_left_is_out_at_once_and_the_owner_sees_who_could_sign_instead(company: Laptop) -> None:
    await to_thread(start, company, "left", LEAVER)
    base = company.addresses["receiver"]
    async with (
        pushing(company) as directory,
        plain_client(base, follow_redirects=True) as leaver,
        plain_client(base, follow_redirects=True) as owner,
    ):
        assert await push(directory, LEAVER) == LEAVER
        headers = {"authorization": f"Bearer {await issue_token(company, LEAVER)}"}
        assert "At a glance" in text_of(await sign_in(leaver, LEAVER))
        assert "At a glance" in text_of(await sign_in(owner, REQUESTER))
        assert (await leaver.get("/api/v1/requests", headers=headers)).status_code == 200

        await deactivate(directory, LEAVER)
        assert "At a glance" not in text_of(await leaver.get("/desk")), "their session"
        assert (await leaver.get("/api/v1/requests", headers=headers)).status_code == 403, "their token"
        async with plain_client(base, follow_redirects=True) as browser:
            assert "At a glance" not in text_of(await sign_in(browser, LEAVER)), "a further sign-in"

        await to_thread(company.answer, "reconcile")
        view = await to_thread(company.wait_for_view, "left", lambda view: view["attention"])
        [attention] = view["attention"]
        assert (attention["code"], attention["proposed"]) == ("signer_left", [MANAGER])
        typed = await to_thread(company.type, "request", "show", "left")
        assert f"{LEAVER} left the directory; could act instead: {MANAGER}" in " ".join(typed.stdout.split())
    async with chromium(executable() or "") as chromium_browser, page_of(chromium_browser) as page:
        await sign_in_by_hand(page, base, REQUESTER)
        await page.goto(f"{base}/desk/requests/left")
        reasons = page.locator("article .problem")
        await expect(reasons).to_have_text(
            ["Somebody who is to act has left. Please hand over their place.", "Could act instead: Chair."]
        )
        await page.get_by_role("link", name="Hand over", exact=True).click()
        await expect(page.get_by_label("Who is to be asked instead")).to_have_value(MANAGER)
        await page.get_by_role("button", name="Hand over").click()
        await expect(page.get_by_text("Waiting for Chair.")).to_be_visible()


async def test_of_many_who_leave_at_once_nobody_hears_until_it_is_confirmed(company: Laptop) -> None:
    await to_thread(start, company, "held", COLLEAGUE)
    async with pushing(company) as directory:
        ids = [await push(directory, id) for id in (COLLEAGUE, *(f"p{number}" for number in range(MANY_LEAVE)))]
        for id in ids:
            assert (await directory.delete(f"/Users/{id}")).status_code == 204
        group = {
            "schemas": [GROUP],
            "displayName": "Operators",
            "members": [{"value": await push(directory, OPERATOR)}],
        }
        assert (await directory.post("/Groups", json=group)).status_code == 201
    assert await to_thread(sweep, company, "held") == []
    doctor = await to_thread(company.type, "doctor")
    assert re.search(rf"{len(ids)}\s+people\s+left\s+at\s+once", doctor.stdout), doctor
    base = company.addresses["receiver"]
    async with chromium(executable() or "") as browser, page_of(browser) as page:
        await sign_in_by_hand(page, base, OPERATOR)
        await page.get_by_role("button", name="They have left").click()
        await expect(page.get_by_role("heading", name="At a glance")).to_be_visible()
        await expect(page.get_by_role("button", name="They have left")).to_have_count(0)
    assert (await to_thread(company.answer, "people", "confirm")) == {"confirmed": 0}
    attention = await to_thread(eventually, lambda: sweep(company, "held"))
    assert [(reason["code"], reason["proposed"]) for reason in attention] == [("signer_left", [MANAGER])]
