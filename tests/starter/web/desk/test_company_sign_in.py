"""Signing in with the company's account: by the sandbox's OpenID provider, however it misbehaves, and out again."""

import asyncio
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from activities.records.sessions import LONGEST_SESSION, SESSIONS_AT_MOST
from deploy.sandbox.oidc.provider import Misbehaviour
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.settings import SandboxSettings
from starter.config.settings import OidcSettings
from starter.web.desk.company_sign_in import CODE_AT_MOST, REDEEMED_AT_MOST
from starter.web.desk.responses import SignInWays
from starter.web.http.oidc import ASKED_EVERY, CLOCKS_APART, GROUPS_AT_MOST, TOKEN_AT_MOST
from tests.plain_http import plain_client
from tests.starter.web.desk.office import NOW, PEOPLE, REQUESTER, Browser, Office, form_of, inside, office, text_of
from workflows.model.notifications import VALID_FOR

COOKIE, PENDING = "countersign-desk", "countersign-oidc"
WHO = "legal@example.test"
BOTH = SignInWays(company=True)


@dataclass
class Company:
    """The desk, and the sandbox with the company's accounts."""

    desk: Office
    sandbox: RunningSandbox
    http: httpx.AsyncClient

    async def begin(self, browser: Browser, path: str = "/desk/people") -> str:
        """Where the first button of the sign-in page leads at the provider."""
        page = await browser.get(path)
        link = re.search(r'<a class="again" href="([^"]+)">Sign in with the company', page.text)
        assert link, page.text
        answer = await browser.get(unescape(link[1]))
        assert answer.status_code == 303, text_of(answer)
        return inside(answer)

    async def log_in(self, url: str, email: str = WHO, groups: str = "") -> str:
        """With the company's account; the path, as the browser is sent back to it."""
        page = await self.http.post(url, data={"email": email, "groups": groups})
        link = re.search(r'href="([^"]+)"', page.text)
        assert link, page.text
        back = urlsplit(unescape(link[1]))
        assert f"{back.scheme}://{back.netloc}" == "https://sign.example"
        return f"{back.path}?{back.query}"

    async def sign_in(self, browser: Browser, email: str = WHO, groups: str = "") -> httpx.Response:
        """The answer to the browser that comes back."""
        return await browser.get(await self.log_in(await self.begin(browser), email, groups))

    async def log_out(self, token: str) -> httpx.Response:
        """By the back channel."""
        return await self.desk.browser("10.9.9.9").http.post(
            "/people/desk/sign-in/company/logout", data={"logout_token": token}
        )


@asynccontextmanager
async def open_company(folder: Path, ways: SignInWays = BOTH, people: str = PEOPLE) -> AsyncIterator[Company]:
    clock = [NOW.timestamp()]
    async with running(SandboxSettings(clock=lambda: clock[0])) as sandbox, plain_client() as http:
        settings = OidcSettings(
            issuer=sandbox.oidc.issuer,
            client_id="countersign",
            client_secret=SecretStr(sandbox.state.settings.oidc_client_secret),
        )
        async with office(folder, oidc=settings, ways=ways) as desk:
            desk.people.write_text(people)
            yield Company(desk, sandbox, http)


@pytest.fixture
async def company(tmp_path: Path) -> AsyncIterator[Company]:
    async with open_company(tmp_path) as opened:
        yield opened


async def test_the_company_account_opens_the_desk_and_the_number_stays_beside_it(company: Company) -> None:
    browser = company.desk.browser()
    page = await browser.get()
    first, second = page.text.index("Sign in with the company"), page.text.index("Send me a link")
    assert first < second
    answer = await company.sign_in(browser)
    assert (answer.status_code, inside(answer)) == (303, "/people/desk")
    assert "Legal Desk" in text_of(await browser.get())
    company.desk.now += LONGEST_SESSION
    assert "Sign in" in text_of(await browser.get())


@pytest.mark.parametrize(
    ("ways", "number", "account"),
    [(SignInWays(number=False, company=True), False, True), (SignInWays(), True, False)],
)
async def test_the_setting_leaves_one_way(tmp_path: Path, ways: SignInWays, number: bool, account: bool) -> None:
    async with open_company(tmp_path, ways) as company:
        browser = company.desk.browser()
        page = await browser.get()
        assert ("Send me a link" in page.text, "Sign in with the company" in page.text) == (number, account)
        asked = await browser.post("/desk/sign-in", form_of(page.text)[1] | {"who": REQUESTER} if number else {})
        assert (asked.status_code == 303, bool(company.desk.orders)) == (number, number)


@pytest.mark.parametrize(
    "misbehaviour", [word for word in Misbehaviour if word not in (Misbehaviour.NONE, Misbehaviour.REPLAY)]
)
async def test_a_misbehaving_provider_lets_nobody_in(company: Company, misbehaviour: Misbehaviour) -> None:
    company.sandbox.oidc.misbehaviour = misbehaviour
    browser = company.desk.browser()
    with capture_logs() as logs:
        answer = await company.sign_in(browser)
    assert (answer.status_code, "You are not signed in" in text_of(answer)) == (403, True)
    assert COOKIE not in browser.http.cookies and PENDING not in browser.http.cookies
    assert WHO not in str(logs)
    assert await company.desk.store.desk_sessions.count(REQUESTER) == 0
    company.sandbox.oidc.misbehaviour = Misbehaviour.NONE
    assert (await company.sign_in(browser)).status_code == 303


async def test_a_code_that_was_used_before_lets_nobody_in(company: Company) -> None:
    victim, thief = company.desk.browser(), company.desk.browser()
    back = await company.log_in(await company.begin(victim))
    assert (await victim.get(back)).status_code == 303
    assert (await victim.get(back)).status_code == 403, "the browser itself goes back in its history"
    company.sandbox.oidc.misbehaviour = Misbehaviour.REPLAY
    assert (await company.sign_in(thief, "head@example.test")).status_code == 403
    assert COOKIE not in thief.http.cookies


async def test_a_sign_in_ends_in_the_browser_in_which_it_was_begun(company: Company) -> None:
    """Whoever has another browser open their answer would have it work in their account (CSRF of the sign-in)."""
    attacker, victim = company.desk.browser(), company.desk.browser()
    back = await company.log_in(await company.begin(attacker))
    refused = await victim.get(back)
    assert (refused.status_code, "not begun in this browser" in text_of(refused)) == (403, True)
    await company.begin(victim)
    assert (await victim.get(back)).status_code == 403
    assert COOKIE not in victim.http.cookies
    cookie = attacker.http.cookies[PENDING]
    attacker.http.cookies.set(PENDING, f"{cookie[:-5]}AAAAA", domain="sign.example", path="/people/desk")
    assert (await attacker.get(back)).status_code == 403


async def test_a_sign_in_may_take_ten_minutes(company: Company) -> None:
    browser = company.desk.browser()
    back = await company.log_in(await company.begin(browser))
    company.desk.now += VALID_FOR
    assert (await browser.get(back)).status_code == 403


async def test_each_sign_in_is_another_session_and_a_cookie_from_before_opens_nothing(company: Company) -> None:
    browser = company.desk.browser()
    browser.http.cookies.set(COOKIE, "A" * 80, domain="sign.example", path="/people/desk")
    answer = await company.sign_in(browser)
    [cookie] = [header for header in answer.headers.get_list("set-cookie") if header.startswith(f"{COOKIE}=")]
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/people/desk"} <= set(cookie.split("; "))
    first = cookie.partition(";")[0]
    company.desk.pass_(seconds=1)
    company.sandbox.state.jobs.run_due()
    second = (await company.sign_in(company.desk.browser())).headers.get_list("set-cookie")
    assert first not in {header.partition(";")[0] for header in second}


async def test_the_way_to_the_provider_keeps_its_secrets_in_a_cookie_of_the_desk(company: Company) -> None:
    browser = company.desk.browser()
    answer = await browser.get("/desk/sign-in/company")
    [cookie] = answer.headers.get_list("set-cookie")
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/people/desk"} <= set(cookie.split("; "))
    query = parse_qs(urlsplit(inside(answer)).query)
    assert query["code_challenge_method"] == ["S256"] and query["response_type"] == ["code"]
    assert query["redirect_uri"] == ["https://sign.example/people/desk/sign-in/company/back"]
    assert {"state", "nonce", "code_challenge"} <= query.keys()
    again = parse_qs(urlsplit(inside(await browser.get("/desk/sign-in/company"))).query)
    assert all(query[name] != again[name] for name in ("state", "nonce", "code_challenge"))


@pytest.mark.parametrize(
    ("target", "page"),
    [
        ("mine", "/people/desk/mine"),
        ("https://evil.example", "/people/desk"),
        ("//evil.example", "/people/desk"),
        ("/evil", "/people/desk"),
        ("..", "/people/desk"),
        ("x" * 5_000, "/people/desk"),
    ],
)
async def test_a_sign_in_leads_to_pages_of_the_desk_alone(company: Company, target: str, page: str) -> None:
    browser = company.desk.browser()
    begun = await browser.get(f"/desk/sign-in/company?{urlencode({'to': target})}")
    answer = await browser.get(await company.log_in(inside(begun)))
    assert inside(answer) == page


async def test_an_account_of_nobody_in_the_directory_is_refused(company: Company) -> None:
    answer = await company.sign_in(company.desk.browser(), "stranger@example.test")
    assert (answer.status_code, "Nobody in our directory has this account." in text_of(answer)) == (403, True)


@pytest.mark.parametrize(
    "query",
    ["", "state=", "code=x", "state=x&code=x", "error=access_denied", "iss=https://evil.example", "state=%00&code=%ff"],
)
async def test_no_answer_is_answered_with_5xx(company: Company, query: str) -> None:
    browser = company.desk.browser()
    assert (await browser.get(f"/desk/sign-in/company/back?{query}")).status_code == 403
    state = parse_qs(urlsplit(await company.begin(browser)).query)["state"][0]
    answer = await browser.get(f"/desk/sign-in/company/back?{query}&state={state}&code={'x' * 10 * CODE_AT_MOST}")
    assert answer.status_code == 403


async def test_the_answer_of_another_issuer_is_refused(company: Company) -> None:
    browser = company.desk.browser()
    back = await company.log_in(await company.begin(browser))
    other = re.sub(r"iss=[^&]*", "iss=https%3A%2F%2Fother.example", back)
    assert other != back
    assert (await browser.get(other)).status_code == 403


async def test_signing_out_ends_the_session_and_leads_to_the_provider(company: Company) -> None:
    browser, thief = company.desk.browser(), company.desk.browser()
    await company.sign_in(browser)
    thief.http.cookies.set(COOKIE, browser.http.cookies[COOKIE], domain="sign.example", path="/people/desk")
    page = await browser.press(await browser.get())
    assert "You are signed out here" in text_of(page)
    url = page.headers["refresh"].removeprefix("0;url=")
    query = parse_qs(urlsplit(url).query)
    assert url.startswith(f"{company.sandbox.oidc.issuer}/end_session")
    assert query["post_logout_redirect_uri"] == ["https://sign.example/people/desk"]
    assert query["id_token_hint"][0].count(".") == 2
    assert "Sign in" in text_of(await thief.get())


async def test_whoever_signed_in_by_number_is_not_led_to_the_provider(company: Company) -> None:
    browser = await company.desk.come_in(REQUESTER)
    assert inside(await browser.press(await browser.get())) == "/people/desk"


async def test_the_provider_ends_its_session_and_no_other(company: Company) -> None:
    browser, other = company.desk.browser(), company.desk.browser()
    grants = company.sandbox.oidc
    await company.sign_in(browser)
    sid = next(iter(grants._refresh.values())).sid
    await company.sign_in(other)
    token = grants.logout_token(sid)
    answer = await company.log_out(token)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert "Sign in" in text_of(await browser.get())
    assert "Legal Desk" in text_of(await other.get())
    assert (await company.log_out(token)).status_code == 400, "a token counts once"
    everywhere = grants.logout_token(None, sub=_subject(company))
    assert (await company.log_out(everywhere)).status_code == 200
    assert "Sign in" in text_of(await other.get())


async def test_a_logout_token_that_does_not_count_ends_nothing(company: Company) -> None:
    browser, provider = company.desk.browser(), company.sandbox.oidc
    await company.sign_in(browser)
    sid, now = next(iter(provider._refresh.values())).sid, int(NOW.timestamp())
    nonsense = [
        *("", "x", "a.b.c", "é.é.é", "x" * 10 * TOKEN_AT_MOST),
        provider.logout_token(sid, aud="others"),
        provider.logout_token(sid, iss="https://other.example"),
        provider.logout_token(sid, exp=now - CLOCKS_APART - 1),
        provider.logout_token(sid, events={}),
        provider.logout_token(sid, events="none"),
        provider.logout_token(sid, nonce="n"),
        provider.logout_token(sid, jti=None),
        provider.logout_token(None),
        provider.id_token(next(iter(provider._refresh.values()))),
    ]
    for misbehaviour in (Misbehaviour.ALGORITHM, Misbehaviour.FOREIGN_KEY):
        provider.misbehaviour = misbehaviour
        nonsense.append(provider.logout_token(sid))
    assert [(await company.log_out(token)).status_code for token in nonsense] == [400] * len(nonsense)
    assert "Legal Desk" in text_of(await browser.get())


async def test_groups_of_the_account_count_where_the_directory_has_none(tmp_path: Path) -> None:
    without_groups = re.sub(r",\s+groups: \[[^]]*\]", "", PEOPLE)
    async with open_company(tmp_path, people=without_groups) as company:
        browser = company.desk.browser()
        await company.sign_in(browser, "ops@example.test", "operations, all-staff")
        role = await company.desk.roles.role_of("operator")
        assert (role.operator, role.groups) == (True, {"operations", "all-staff"})
        await company.sign_in(company.desk.browser(), "head@example.test", "")
        assert not (await company.desk.roles.role_of("legal-head")).operator
        await company.desk.come_in("operator")
        assert (await company.desk.roles.role_of("operator")).operator
        company.desk.now += LONGEST_SESSION
        assert not (await company.desk.roles.role_of("operator")).groups


async def test_groups_of_the_account_make_nobody_an_operator_of_a_directory_with_groups(company: Company) -> None:
    browser = company.desk.browser()
    await company.sign_in(browser, "head@example.test", "operations")
    assert not (await company.desk.roles.role_of("legal-head")).groups


async def test_while_the_provider_is_away_the_number_still_opens_the_desk(company: Company) -> None:
    company.sandbox.oidc.base_url = "http://127.0.0.1:1"
    browser = company.desk.browser()
    page = await browser.get("/desk/sign-in/company")
    assert (page.status_code, page.headers["retry-after"]) == (503, "30")
    assert "Legal Desk" in text_of(await (await company.desk.come_in(REQUESTER)).get())


async def test_a_key_that_the_provider_changed_is_read_anew(company: Company) -> None:
    assert (await company.sign_in(company.desk.browser())).status_code == 303
    company.sandbox.oidc.key = type(company.sandbox.oidc.key).generate_key("P-256", {"kid": "new"}, private=True)
    assert (await company.sign_in(company.desk.browser())).status_code == 403, "keys are asked for once a minute"
    company.desk.pass_(seconds=ASKED_EVERY)
    assert (await company.sign_in(company.desk.browser())).status_code == 303


async def test_of_ten_times_as_many_sign_ins_at_once_so_many_ask_the_provider(company: Company) -> None:
    browsers = [company.desk.browser(f"10.0.{number}.1") for number in range(10 * REDEEMED_AT_MOST)]
    backs = [await company.log_in(await company.begin(browser)) for browser in browsers[: REDEEMED_AT_MOST + 5]]
    answers = await asyncio.gather(
        *(browser.get(back) for browser, back in zip(browsers, backs, strict=False)),
        *(browser.get("/desk/sign-in/company/back?state=x") for browser in browsers[len(backs) :]),
    )
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {303, 403, 429}
    assert sum(answer.status_code == 303 for answer in answers) <= REDEEMED_AT_MOST
    assert await company.desk.store.desk_sessions.count(REQUESTER) <= SESSIONS_AT_MOST


async def test_of_ten_times_as_many_groups_the_first_count_and_a_long_token_is_no_hint(tmp_path: Path) -> None:
    people = re.sub(r",\s+groups: \[[^]]*\]", "", PEOPLE)
    async with open_company(tmp_path, people=people) as company:
        browser = company.desk.browser()
        answer = await company.sign_in(browser, groups=", ".join(f"g{number}" for number in range(5 * GROUPS_AT_MOST)))
        assert answer.status_code == 303
        assert (await company.desk.roles.role_of(REQUESTER)).groups == {f"g{n}" for n in range(GROUPS_AT_MOST)}
        page = await browser.press(await browser.get("/desk/figures/none"))
        assert "id_token_hint" not in page.headers["refresh"]
        many = ", ".join(f"g{number}" for number in range(10 * GROUPS_AT_MOST))
        assert (await company.sign_in(browser, groups=many)).status_code in (303, 403)


def _subject(company: Company) -> str:
    grant = next(iter(company.sandbox.oidc._refresh.values()))
    return str(json.loads(urlsafe_b64decode(company.sandbox.oidc.id_token(grant).split(".")[1] + "=="))["sub"])
