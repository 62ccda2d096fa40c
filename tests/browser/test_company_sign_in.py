"""Signing in at the desk with the company's account in Chromium, by the sandbox's provider, and out again."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from pydantic import SecretStr

from deploy.sandbox.oidc.provider import Misbehaviour
from deploy.sandbox.server import running
from deploy.sandbox.state.settings import SandboxSettings
from starter.config.settings import OidcSettings
from starter.config.values import Bind
from starter.web.desk.responses import SignInWays
from starter.web.http.serving import listening
from tests.browser.phone import page_of
from tests.servers import free_ports
from tests.starter.web.desk.office import NOW, OPERATOR, office

pytestmark = [pytest.mark.long, pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_somebody_signs_in_by_the_provider_and_out_again(browser: Browser, tmp_path: Path) -> None:
    [port] = free_ports(1)
    base = f"http://127.0.0.1:{port}/people"
    async with running(SandboxSettings(clock=NOW.timestamp)) as sandbox, page_of(browser) as page:
        client = {"client_id": "countersign", "client_secret": SecretStr(sandbox.state.settings.oidc_client_secret)}
        oidc = OidcSettings(issuer=sandbox.oidc.issuer, **client)
        async with (
            office(tmp_path, base=base, oidc=oidc, ways=SignInWays(company=True)) as desk,
            listening(desk.app, Bind("127.0.0.1", port)),
        ):
            sandbox.oidc.misbehaviour = Misbehaviour.AUDIENCE
            await page.goto(f"{base}/desk/away")
            for heading in ("You are not signed in", "I am away"):
                await page.goto(f"{base}/desk/away")
                await page.get_by_role("link", name="Sign in with the company's account").click()
                await page.get_by_label("Email address").fill("ops@example.test")
                await page.get_by_role("button", name="Sign in").click()
                await expect(page.get_by_role("heading", name=heading).first).to_be_visible()
                sandbox.oidc.misbehaviour = Misbehaviour.NONE
            assert page.url == f"{base}/desk/away"
            assert await desk.store.desk_sessions.count(OPERATOR) == 1
            await page.get_by_role("button", name="Sign out").click()
            await expect(page.get_by_role("link", name="Sign in with the company's account")).to_be_visible()
            assert page.url == f"{base}/desk", "by way of the provider"
            assert await desk.store.desk_sessions.count(OPERATOR) == 0
            entries = [entry["path"] for entry in sandbox.state.ledger.list_entries_after(0) if "path" in entry]
            assert "/oidc/end_session" in entries
