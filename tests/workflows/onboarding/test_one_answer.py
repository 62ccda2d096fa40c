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
from activities.keys import KeyRing
from activities.notifications.links import LinkUse
from starter.boot import clients
from starter.config import settings
from starter.queries.lookup import find_best_view
from starter.web.app import make_app, routes_of
from starter.web.desk.sessions import Cookies, Session
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
    OnboardingStory,
    a_file,
    an_agreement,
    start_onboarding,
)
from tests.workflows.onboarding.test_words import address_variables, type_command, write_settings
from workflows import names
from workflows.follow_up.view import stamp
from workflows.kinds import named
from workflows.model.commands import Answer, Delegation, Question
from workflows.model.signature import SignerState
from workflows.model.views import OnboardingShow

SIGNER, DEPUTY, COLLEAGUE = "chief-executive", "chair", "customer-colleague"
BOTH: Final = {"name": "agreements", "agreements": [an_agreement(signers=[{"person": "customer"}, {"person": SIGNER}])]}
NAMES: Final = {person["id"]: person["name"] for person in PEOPLE}
_METADATA: Final = "__temporal_workflow_metadata"
pytestmark = [pytest.mark.long, pytest.mark.real_server]


@dataclass
class Places:
    """Where people read for whom an onboarding waits."""

    onboarding: OnboardingStory
    folder: Path
    browser: httpx.AsyncClient
    customers_page: str
    session_cookie: str
    """Of the owner at the desk."""

    async def agree(
        self, *people: str, words_of_file: tuple[str, ...], on_page: str, part: str = "agreement-1"
    ) -> None:
        """Hold all of them against what the open part itself says; `words_of_file` say the same of `people`."""
        turns = await self._said_by(part)
        line = await eventually(lambda: self._listed(people))
        view = OnboardingShow.model_validate(await type_command(self.onboarding, self.folder, "show", "acme"))
        assert [(waiting.person, waiting.who) for waiting in view.waiting_for] == list(
            zip(people, words_of_file, strict=True)
        )
        assert [(waiting.person, waiting.since) for waiting in view.waiting_for] == turns
        turn_at = min(at_of_turn for _, at_of_turn in turns)
        assert line["since"] is not None
        assert line["waiting_for"] == list(people)
        described = (await self.onboarding.handle.describe()).typed_search_attributes
        assert tuple(described.get(names.WAITING_FOR) or ()) == people
        assert described.get(names.TURN_AT) == turn_at
        assert view.says.endswith(f"waiting for {words_of_file[0]} ({view.waiting_for[0].what}) since {stamp(turn_at)}")
        details = await self.onboarding.handle.query(_METADATA, result_type=WorkflowMetadata)
        assert details.current_details.startswith(f"### {view.says}")
        called = " and ".join(NAMES[person] for person in people)
        assert f"{called} since" in await self._row_of_the_list()
        assert f"with {called} since" in text_of(await self._desk("onboardings/acme"))
        page = (await self.browser.get(self.customers_page)).text
        assert [heading for heading in ("Your turn", "With your colleagues", "With us") if heading in page] == [on_page]

    async def _said_by(self, part: str) -> list[tuple[str, datetime]]:
        reference = named(await self.onboarding.wait_for_workflow(part))
        assert reference is not None
        view = await find_best_view(self.onboarding.client, self.onboarding.store, reference)
        if view.question:
            return [(view.requester, view.question.at)]
        return [(waiting.person, waiting.since) for waiting in view.waiting_for]

    async def _listed(self, people: tuple[str, ...]) -> dict[str, object] | None:
        lines = await type_command(self.onboarding, self.folder, "list")
        return next((line for line in lines if line["waiting_for"] == list(people)), None)

    async def _row_of_the_list(self) -> str:
        page = await self._desk("onboardings")
        return " ".join(re.sub("<[^>]+>", " ", page.text).split())

    async def _desk(self, path: str) -> httpx.Response:
        return await self.browser.get(f"/desk/{path}", headers={"cookie": self.session_cookie})


async def desk_cookie(web_settings: settings.Settings, person: str) -> str:
    """The cookie of somebody who has signed in at the desk."""
    response, session = Response(), Session.new(person, datetime.now(UTC))
    await clients.store(web_settings).desk_sessions.begin(session.nonce_sha256, person, session.since)
    Cookies(KeyRing(web_settings.secrets_of_links), web_settings.link_base).keep_session(response, session)
    return response.headers["set-cookie"].partition(";")[0]


@asynccontextmanager
async def open_places(onboarding: OnboardingStory, folder: Path) -> AsyncIterator[Places]:
    """Every place, of the process that people's browsers come to."""
    environment = {**write_settings(folder), **address_variables(onboarding.client)}
    web_settings = settings.load(environment=environment)
    async with aclosing(CoreSignatureClient(clients.signature_config(web_settings))) as signatures:
        app = with_peer(make_app(routes_of(web_settings, onboarding.client, clients.store(web_settings), signatures)))
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000))
        async with httpx.AsyncClient(transport=transport, base_url="https://sign.example") as browser:
            page = clients.links(web_settings).link(onboarding.handle.id, CUSTOMER, LinkUse.VIEW)
            yield Places(onboarding, folder, browser, page, await desk_cookie(web_settings, OWNER))


async def test_six_places_say_the_same_while_the_turn_goes_from_one_to_the_next(
    tmp_path: Path, dev_server: str
) -> None:
    async with (
        start_onboarding(tmp_path, a_file(BOTH, LIVE), server=own_part(dev_server)) as onboarding,
        open_places(onboarding, tmp_path) as six,
    ):
        workflow_id = await onboarding.wait_for_workflow("agreement-1")
        await onboarding.at_rest()
        onboarding.provider.acted["acme.1.1"] = [onboarding.provider_saw(CUSTOMER, SignerState.SIGNED)]
        await onboarding.callback(workflow_id)
        await onboarding.wait_until_notified(workflow_id, "ready", SIGNER)
        await six.agree(SIGNER, words_of_file=(SIGNER,), on_page="With us")

        await onboarding.send_command_to(workflow_id, Question(person=SIGNER, text="Which annex?"))
        await six.agree(OWNER, words_of_file=("owner",), on_page="With us")
        await onboarding.send_command_to(workflow_id, Answer(actor=OWNER, text="The second."))
        await six.agree(SIGNER, words_of_file=(SIGNER,), on_page="With us")
        await onboarding.end_agreement("agreement-1")
        await onboarding.wait_for_end()


async def test_six_places_name_the_colleague_to_whom_a_step_was_handed(tmp_path: Path, dev_server: str) -> None:
    async with (
        start_onboarding(tmp_path, a_file(DETAILS, LIVE), server=own_part(dev_server)) as onboarding,
        open_places(onboarding, tmp_path) as six,
    ):
        workflow_id = await onboarding.wait_for_workflow("billing")
        await onboarding.at_rest()
        await onboarding.send_command_to(workflow_id, Delegation(actor=CUSTOMER, signer=CUSTOMER, to=COLLEAGUE))
        await onboarding.wait_until_notified(workflow_id, "ready", COLLEAGUE)
        await six.agree(COLLEAGUE, words_of_file=(COLLEAGUE,), on_page="With your colleagues", part="billing")
        await onboarding.complete_task("billing", COLLEAGUE)
        await onboarding.wait_for_end()
