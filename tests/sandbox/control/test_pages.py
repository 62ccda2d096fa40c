"""The pages: what the inbox shows, each state of the signing page, the form's answers, and what no page may contain."""

import re
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from deploy.sandbox.control.pages import COMMON_FAULTS, MOST_SHOWN
from deploy.sandbox.server import running
from deploy.sandbox.state.settings import SandboxSettings
from tests.plain_http import plain_client
from tests.sandbox.clocks import HandClock
from tests.sandbox.conftest import Hands

ADA: dict[str, Any] = {"email": "ada@x.test", "full_name": "Ada", "order": 1}
BOB: dict[str, Any] = {"email": "bob@x.test", "full_name": "Bob", "order": 2}


class Page(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.status = answer.status_code
        self.text = answer.text
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every such tag."""
        return [attributes for name, attributes in self.tags if name == tag]

    def links(self) -> list[str | None]:
        """Where the page's links lead."""
        return [attributes.get("href") for attributes in self.all("a")]

    def heading(self) -> str:
        """The page's only h1."""
        [heading] = re.findall(r"<h1[^>]*>(.*?)</h1>", self.text, re.DOTALL)
        return re.sub(r"<[^>]+>", "", heading).strip()


async def sign_page(hands: Hands, email: str) -> Page:
    """The signing page of a signer."""
    return Page(await hands.http.get(f"/sign/{(await hands.signer(email))['uuid']}"))


async def submit(hands: Hands, email: str, **form: str) -> httpx.Response:
    """Post the signing page's form."""
    return await hands.http.post(f"/sign/{(await hands.signer(email))['uuid']}", data=form)


async def test_the_inbox_shows_pushes_and_mails_as_received(hands: Hands) -> None:
    await hands.request(ADA, subject="Please <sign>", message="Before the kick-off")
    message = {"token": "ada~1", "notification": {"title": "To sign: <b>MSA</b>", "body": "by Friday"}}
    await hands.push({**message, "data": {"link": "https://app.test/open/x"}})
    page = Page(await hands.http.get("/inbox/ada"))
    assert "To sign: &lt;b&gt;MSA&lt;/b&gt;" in page.text
    assert "Please &lt;sign&gt;" in page.text
    signer = await hands.signer("ada@x.test")
    assert page.links()[2:] == ["https://app.test/open/x", f"/sign/{signer['uuid']}?from=mail"]
    part = await hands.http.get("/inbox/ada/screen")
    assert part.text.strip() in page.text


async def test_a_phone_says_when_its_person_got_as_many_notices_as_they_may_within_an_hour() -> None:
    clock = HandClock()
    async with running(SandboxSettings(notices=2, clock=clock)) as sandbox, plain_client(sandbox.url) as http:
        hands = Hands(sandbox, http)
        for title, is_full in (("One", False), ("Two", True)):
            await hands.push({"token": "ada~1", "notification": {"title": title}})
            assert ("COUNTERSIGN_NOTICES_MOST" in (await http.get("/inbox/ada/screen")).text) is is_full
        clock.now += 3_600
        assert "COUNTERSIGN_NOTICES_MOST" not in (await http.get("/inbox/ada")).text


async def test_an_inbox_of_nobody_says_so(hands: Hands) -> None:
    page = Page(await hands.http.get("/inbox/nobody"))
    assert (page.status, "Nothing has arrived yet" in page.text) == (200, True)


async def test_a_withdrawn_notice_is_gone_from_the_inbox(hands: Hands) -> None:
    await hands.push({"token": "ada~1", "notification": {"title": "Hello"}, "data": {"key": "k"}})
    assert "Hello" in (await hands.http.get("/inbox/ada")).text
    await hands.push({"token": "ada~1", "data": {"key": "k", "action": "withdraw"}})
    assert "No notifications" in (await hands.http.get("/inbox/ada")).text


async def test_a_link_into_a_script_is_no_link(hands: Hands) -> None:
    await hands.push({"token": "ada~1", "notification": {"title": "Hello"}, "data": {"link": "javascript:alert(1)"}})
    page = Page(await hands.http.get("/inbox/ada"))
    assert ("Hello" in page.text, "javascript:" in page.text) == (True, False)


async def test_signing_through_the_form(hands: Hands) -> None:
    await hands.request(ADA, BOB, message="Before the kick-off", redirect_url="https://app.test/thanks")
    page = await sign_page(hands, "ada@x.test")
    assert (page.heading(), "Before the kick-off" in page.text) == ("MSA", True)
    assert [button.get("value") for button in page.all("button")] == ["sign", "decline"]
    [file] = [link for link in page.links() if link and link.startswith("/dl/")]
    assert (await hands.http.get(file)).content.startswith(b"%PDF-")
    answer = await submit(hands, "ada@x.test", choice="sign")
    assert answer.status_code == 303
    page = Page(await hands.http.get(answer.headers["location"]))
    assert (page.heading(), page.all("button")) == ("You have signed", [])
    assert "https://app.test/thanks" in page.links()
    assert (await hands.signer("ada@x.test"))["signed"] is True


async def test_opening_counts_as_viewed_and_by_mail_as_mail_viewed(hands: Hands) -> None:
    await hands.request(ADA)
    uuid = (await hands.signer("ada@x.test"))["uuid"]
    await hands.http.head(f"/sign/{uuid}")
    assert (await hands.read())["status"] == "se"
    await hands.http.get(f"/sign/{uuid}?from=mail")
    signer = await hands.signer("ada@x.test")
    assert (signer["viewed"], signer["email_viewed"], (await hands.read())["status"]) == (True, True, "vi")


async def test_declining_needs_a_reason(hands: Hands) -> None:
    await hands.request(ADA)
    answer = await submit(hands, "ada@x.test", choice="decline", reason="  ")
    page = Page(answer)
    assert page.status == 422
    [field] = page.all("textarea")
    assert (field.get("aria-invalid"), field.get("aria-describedby")) == ("true", "trouble")
    assert 'id="trouble"' in page.text
    assert (await hands.read())["status"] in {"se", "vi"}
    await submit(hands, "ada@x.test", choice="decline", reason="Wrong <price>")
    page = await sign_page(hands, "ada@x.test")
    assert (page.heading(), "Wrong &lt;price&gt;" in page.text) == ("You have declined", True)
    assert (await hands.signer("ada@x.test"))["message"] == "Wrong <price>"


async def test_an_approver_approves(hands: Hands) -> None:
    await hands.request({**ADA, "approve_only": True})
    page = await sign_page(hands, "ada@x.test")
    assert re.search(r'value="sign">\s*Approve', page.text)
    await submit(hands, "ada@x.test", choice="sign")
    assert (await sign_page(hands, "ada@x.test")).heading() == "You have approved"


async def test_the_page_is_honest_when_there_is_nothing_to_do(hands: Hands) -> None:
    copy = {"email": "copy@x.test", "needs_to_sign": False}
    request = await hands.request(ADA, BOB, copy)
    assert (await sign_page(hands, "bob@x.test")).heading() == "It is not your turn yet"
    assert (await sign_page(hands, "copy@x.test")).heading() == "Nothing to sign"
    assert (await submit(hands, "bob@x.test", choice="sign")).status_code == 303
    assert (await hands.signer("bob@x.test"))["signed"] is False
    await hands.api("POST", f"/signature-requests/{request['uuid']}/cancel_signature_request/")
    page = await sign_page(hands, "ada@x.test")
    assert (page.heading(), page.all("button")) == ("The request was cancelled", [])


@pytest.mark.parametrize(
    ("ending", "heading"),
    [
        ("decline", "Another signer declined"),
        ("expire", "The request has expired"),
        ("forward", "This link is no longer"),
    ],
)
async def test_the_page_names_each_ending(hands: Hands, ending: str, heading: str) -> None:
    request = await hands.request(ADA, {**BOB, "order": 1})
    if ending == "decline":
        await hands.act("bob@x.test", "decline", reason="no")
    elif ending == "expire":
        await hands.http.post(f"/_sandbox/documents/{(await hands.read())['uuid']}/expire")
    else:
        body = {"signer_email_to_forward": "ada@x.test", "signer_email_to_forward_to": "eve@x.test"}
        await hands.api("POST", f"/signature-requests/{request['uuid']}/forward_signer/", json=body)
    page = await sign_page(hands, "ada@x.test")
    assert page.heading().startswith(heading)
    assert page.all("button") == []
    assert ("MSA" in page.text) == (ending != "forward"), "a dead link shows nothing of the document"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_link_is_dead(hands: Hands, method: str) -> None:
    page = Page(await hands.http.request(method, "/sign/nothing"))
    assert (page.status, page.heading()) == (404, "This link is no longer valid")


async def test_a_document_that_is_still_converted_is_not_shown_for_signing() -> None:
    clock = HandClock()
    async with (
        running(SandboxSettings(conversion_delay=5, clock=clock)) as sandbox,
        plain_client(sandbox.url) as http,
    ):
        hands = Hands(sandbox, http)
        await hands.request(ADA)
        assert (await sign_page(hands, "ada@x.test")).heading() == "Almost there"


async def test_the_index_leads_to_inboxes_and_signing_pages(hands: Hands) -> None:
    await hands.request(ADA)
    await hands.push({"token": "zoe~1", "notification": {"title": "Hello"}})
    page = Page(await hands.http.get("/"))
    assert {"/inbox/ada", "/inbox/zoe"} <= set(page.links())
    assert f"/sign/{(await hands.signer('ada@x.test'))['uuid']}" in page.links()


async def test_the_index_has_every_document_by_the_id_of_its_request(hands: Hands) -> None:
    for number in range(MOST_SHOWN + 1):
        await hands.document(name=f"Paper {number}", external_id=f"paper-{number}")
    first, second = Page(await hands.http.get("/")), Page(await hands.http.get("/?page=2"))
    assert f"paper-{MOST_SHOWN}" in first.text and "paper-0<" not in first.text
    assert "paper-0<" in second.text
    assert "/?page=2" in first.links() and "/?page=1" in second.links()


async def test_a_fault_is_a_switch_on_a_page(hands: Hands) -> None:
    await hands.http.post("/faults", data={"fault": "Core Signature is down", "times": "until it is mended"})
    assert (await hands.api("GET", "/documents/")).status_code == 503
    assert "503 · * /api/v1/*" in (await hands.http.get("/faults")).text
    await hands.http.post("/faults", data={"mend": "yes"})
    assert (await hands.api("GET", "/documents/")).status_code == 200
    await hands.http.post("/faults", data={"fault": "the moon falls", "times": "once"})
    assert "Nothing: every call" in (await hands.http.get("/faults")).text


@pytest.mark.parametrize("name", COMMON_FAULTS)
async def test_every_switch_can_be_pressed(hands: Hands, name: str) -> None:
    await hands.http.post("/faults", data={"fault": name, "times": "once"})
    assert "Mend everything" in (await hands.http.get("/faults")).text


async def test_an_inbox_leads_back_to_all_phones(hands: Hands) -> None:
    assert "/" in Page(await hands.http.get("/inbox/ada")).links()


async def test_pages_can_be_used_by_everyone_and_load_nothing_foreign(hands: Hands) -> None:
    await hands.request(ADA)
    signer = (await hands.signer("ada@x.test"))["uuid"]
    for path in ("/", "/faults", "/inbox/ada", f"/sign/{signer}", "/sign/nothing"):
        answer = await hands.http.get(path)
        page = Page(answer)
        assert page.all("html") == [{"lang": "en"}]
        assert len(page.all("main")) == 1
        assert page.heading()
        assert all("alt" in image for image in page.all("img"))
        labelled = {label.get("for") for label in page.all("label")}
        assert all(field.get("id") in labelled for field in page.all("textarea"))
        assert not re.search(r"style=|<style|<script>", page.text)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assets = [tag.get("src") or tag.get("href") for name in ("img", "script", "link") for tag in page.all(name)]
        for asset in assets:
            assert asset is not None
            assert asset.startswith("/assets/")
            assert (await hands.http.get(asset)).status_code == 200
