"""For whom an onboarding waits, and since when: six places say the same while a part goes on, not only at its ends."""

import re
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import pytest
from starlette.responses import Response
from temporalio.api.sdk.v1 import WorkflowMetadata

from activities.core_signature.client import CoreSignatureClient
from activities.notifications.links import LinkUse
from starter.boot import clients
from starter.config import settings
from starter.queries.lookup import look_at
from starter.web.app import make_app, routes_of
from starter.web.desk.sessions import Cookies, Session, serial_of
from starter.web.http.serving import with_peer
from tests.faults.town import eventually
from tests.servers import own_part
from tests.starter.web.desk.office import text_of
from tests.workflows.onboarding.stage import (
    CUSTOMER,
    DETAILS,
    LIVE,
    OWNER,
    PEOPLE,
    Journeys,
    a_file,
    an_agreement,
    onboarding,
)
from tests.workflows.onboarding.test_words import address_of, given, typed
from workflows import names
from workflows.follow_up.view import stamp
from workflows.kinds import named
from workflows.model.commands import Answer, Delegation, Question
from workflows.model.signature import SignerState
from workflows.model.views import OnboardingShow

SIGNER, DEPUTY, COLLEAGUE = "chief-executive", "chair", "customer-colleague"
BOTH: Final = {"name": "agreements", "agreements": [an_agreement(signers=[{"person": "customer"}, {"person": SIGNER}])]}
NAMES: Final = {one["id"]: one["name"] for one in PEOPLE}
_METADATA: Final = "__temporal_workflow_metadata"
pytestmark = [pytest.mark.long, pytest.mark.real_server]


@dataclass
class Places:
    """Where people read for whom an onboarding waits."""

    it: Journeys
    folder: Path
    browser: httpx.AsyncClient
    customers_page: str
    session_cookie: str
    """Of the owner at the desk."""

    async def agree(self, *people: str, who: tuple[str, ...], on_page: str, part: str = "agreement-1") -> None:
        """Hold all of them against what the open part itself says; `who` are the words of the file for `people`."""
        own = await self._said_by(part)
        line = await eventually(lambda: self._listed(people))
        shown = OnboardingShow.model_validate(await typed(self.it, self.folder, "show", "acme"))
        assert [(one.person, one.who) for one in shown.waiting_for] == list(zip(people, who, strict=True))
        assert [(one.person, one.since) for one in shown.waiting_for] == own
        since = min(at for _, at in own)
        assert line["since"] is not None
        assert line["waiting_for"] == list(people)
        described = (await self.it.handle.describe()).typed_search_attributes
        assert tuple(described.get(names.WAITING_FOR) or ()) == people
        assert described.get(names.TURN_AT) == since
        assert shown.says.endswith(f"waiting for {who[0]} ({shown.waiting_for[0].what}) since {stamp(since)}")
        details = await self.it.handle.query(_METADATA, result_type=WorkflowMetadata)
        assert details.current_details.startswith(f"### {shown.says}")
        called = " and ".join(NAMES[one] for one in people)
        assert f"{called} since" in await self._row_of_the_list()
        assert f"with {called} since" in text_of(await self._desk("onboardings/acme"))
        page = (await self.browser.get(self.customers_page)).text
        assert [one for one in ("Your turn", "With your colleagues", "With us") if one in page] == [on_page]

    async def _said_by(self, part: str) -> list[tuple[str, datetime]]:
        what = named(await self.it.open(part))
        assert what is not None
        shown = await look_at(self.it.client, self.it.store, what)
        if shown.question:
            return [(shown.requester, shown.question.at)]
        return [(one.person, one.since) for one in shown.waiting_for]

    async def _listed(self, people: tuple[str, ...]) -> dict[str, object] | None:
        lines = await typed(self.it, self.folder, "list")
        return next((line for line in lines if line["waiting_for"] == list(people)), None)

    async def _row_of_the_list(self) -> str:
        page = await self._desk("onboardings")
        return " ".join(re.sub("<[^>]+>", " ", page.text).split())

    async def _desk(self, path: str) -> httpx.Response:
        return await self.browser.get(f"/desk/{path}", headers={"cookie": self.session_cookie})


async def desk_cookie(ours: settings.Settings, person: str) -> str:
    """The cookie of somebody who has signed in at the desk."""
    serial = await clients.store(ours).one_use.serial(serial_of(person))
    response = Response()
    Cookies(ours.link_secret, ours.link_base).keep_session(response, Session.new(person, serial, datetime.now(UTC)))
    return response.headers["set-cookie"].partition(";")[0]


@asynccontextmanager
async def places(it: Journeys, folder: Path) -> AsyncIterator[Places]:
    """Every place, of the process that people's browsers come to."""
    there = {**given(folder), **address_of(it.client)}
    ours = settings.load(environment=there)
    async with aclosing(CoreSignatureClient(clients.signature_config(ours))) as signatures:
        app = with_peer(make_app(routes_of(ours, it.client, clients.store(ours), signatures)))
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000))
        async with httpx.AsyncClient(transport=transport, base_url="https://sign.example") as browser:
            page = clients.links(ours).link(it.handle.id, CUSTOMER, LinkUse.VIEW)
            yield Places(it, folder, browser, page, await desk_cookie(ours, OWNER))


async def test_six_places_say_the_same_while_the_turn_goes_from_one_to_the_next(
    tmp_path: Path, dev_server: str
) -> None:
    async with onboarding(tmp_path, a_file(BOTH, LIVE), server=own_part(dev_server)) as it, places(it, tmp_path) as six:
        workflow_id = await it.open("agreement-1")
        await it.at_rest()
        it.provider.acted["acme.1.1"] = [it.provider_saw(CUSTOMER, SignerState.SIGNED)]
        await it.callback(workflow_id)
        await it.hears(workflow_id, "ready", SIGNER)
        await six.agree(SIGNER, who=(SIGNER,), on_page="With us")

        await it.tell(workflow_id, Question(person=SIGNER, text="Which annex?"))
        await six.agree(OWNER, who=("owner",), on_page="With us")
        await it.tell(workflow_id, Answer(actor=OWNER, text="The second."))
        await six.agree(SIGNER, who=(SIGNER,), on_page="With us")
        await it.signed("agreement-1")
        await it.ended()


async def test_six_places_name_the_colleague_to_whom_a_step_was_handed(tmp_path: Path, dev_server: str) -> None:
    async with (
        onboarding(tmp_path, a_file(DETAILS, LIVE), server=own_part(dev_server)) as it,
        places(it, tmp_path) as six,
    ):
        workflow_id = await it.open("billing")
        await it.at_rest()
        await it.tell(workflow_id, Delegation(actor=CUSTOMER, signer=CUSTOMER, to=COLLEAGUE))
        await it.hears(workflow_id, "ready", COLLEAGUE)
        await six.agree(COLLEAGUE, who=(COLLEAGUE,), on_page="With your colleagues", part="billing")
        await it.done("billing", COLLEAGUE)
        await it.ended()
