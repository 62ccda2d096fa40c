"""What an app is sent and may report, as docs/app.md says, and what is noted of it."""

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from activities.keys import KeyRing
from activities.notifications.links import LinkContent, SigningLinks
from activities.notifications.message import compose
from activities.notifications.push_services import appworks_body, fcm_body
from activities.notifications.service import NotificationService
from activities.records.devices import device_hash
from activities.records.schema import APP_PUSHES
from activities.records.store import Store
from deploy.sandbox.push.phones import DeviceState
from deploy.sandbox.server import RunningSandbox
from starter.web.receivers.devices import EventReport
from tests.activities.notifications.stage import EXECUTIVES, brief, delivery, hashes, mark, notice, only
from tests.activities.notifications.test_browsers import MSA, join, web  # noqa: F401  fixtures
from tests.activities.reading import reading
from tests.golden.schemas import validator
from tests.storage import take_table_away
from workflows.model.notifications import Delivery, NoticeAction, NotificationOrder, NotificationOutcome

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "app.md").read_text()
SAMPLE = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
SCHEMA = validator(json.loads((DOCS / "schemas" / "push-data.json").read_text()))
LINKS = SigningLinks("https://sign.example.com", KeyRing([SecretStr("s" * 32)]))
DAY = date(2026, 12, 2)


def send_data(
    order: NotificationOrder, action: NoticeAction = NoticeAction.SIGN
) -> tuple[dict[str, str], dict[str, str]]:
    """The data of a push in both dialects, as on the wire."""
    message = compose(Delivery(subject=brief(), notices=(order,)), order, reading(), LINKS)
    message = replace(message, action=action)
    sent: tuple[dict[str, str], dict[str, str]] = json.loads(
        json.dumps([fcm_body("t", message)["message"]["data"], appworks_body("u", message, "app", 0)["data"]["app"]])
    )
    return sent


def read_link_content(link: str) -> LinkContent:
    """What a link says, as if its notice were of a fixed day."""
    return replace(LINKS.open(link.rpartition("/")[2]), noticed_on=DAY)


def test_the_sample_of_the_documentation_is_what_is_sent() -> None:
    fcm, appworks = send_data(notice("chief-executive", "reminder-1"))
    assert fcm == appworks
    link, sample_link = fcm.pop("link"), SAMPLE["link"]
    assert fcm == {key: text for key, text in SAMPLE.items() if key != "link"}
    assert len(link) == len(sample_link)
    assert read_link_content(link) == read_link_content(sample_link), "but for the day of the notice"


def test_the_search_for_secrets_allows_the_key_of_the_sample() -> None:
    search = tomllib.loads((DOCS.parent / ".ci" / "gitleaks.toml").read_text())
    assert SAMPLE["key"] in search["allowlist"]["regexes"]


@pytest.mark.parametrize("action", NoticeAction)
@pytest.mark.parametrize("stage", ["ready", "escalation", "settled"])
def test_every_action_keeps_to_the_schema(action: NoticeAction, stage: str) -> None:
    for data in send_data(notice("chief-executive", stage), action):
        SCHEMA.validate(data)


def test_the_page_says_what_to_do_on_each_action() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `") and line.count("|") == 4]
    assert {action.value for action in NoticeAction} <= set(re.findall(r"`(\w+)`", " ".join(rows)))


def test_the_example_of_a_report_is_accepted() -> None:
    [body] = re.findall(r"^\{\"events\".*?\}\]\}$", PAGE, re.MULTILINE | re.DOTALL)
    [event] = EventReport.model_validate_json(body).events
    assert (event.key, event.stage) == (SAMPLE["key"], SAMPLE["stage"])


async def list_pushes(store: Store) -> dict[str, str]:
    """The stage of each push that was noted, by device."""
    return {row.device: row.stage for row in await store.database.rows(select(APP_PUSHES))}


async def test_accepted_pushes_of_an_app_are_noted_and_of_no_other_device(
    notices: NotificationService, sandbox: RunningSandbox, store: Store
) -> None:
    mark(sandbox, EXECUTIVES[0], DeviceState.UNREGISTERED)
    await notices.deliver(delivery(notice("chief-executive")))
    accepted = hashes(*EXECUTIVES[1:])
    assert await list_pushes(store) == dict.fromkeys(accepted, "ready")
    [row, _] = await store.database.rows(select(APP_PUSHES))
    assert (row.workflow_id, row.screen_key, row.reached) == (MSA, SAMPLE["key"], False)


async def test_a_browser_never_counts_as_reached(
    a_worker: Callable[..., NotificationService],
    web: Any,  # noqa: F811
    join: Callable[..., Any],  # noqa: F811
    store: Store,
) -> None:
    """Neither behind a link, which anybody may have, nor at the desk: a service worker reports nothing."""
    subscriptions = [await join("customer-signer"), await join("customer-signer", MSA)]
    line = only(await a_worker(web=web).deliver(delivery(notice("customer-signer"))))
    assert {device.device for device in line.devices} == {
        device_hash(subscription.endpoint) for subscription in subscriptions
    }
    assert await list_pushes(store) == {}


async def test_a_withdrawal_is_nothing_that_reaches_anybody(notices: NotificationService, store: Store) -> None:
    line = only(await notices.deliver(delivery(notice("finance-chief", "settled", NoticeAction.WITHDRAW))))
    assert line.outcome is NotificationOutcome.WITHDRAWN
    assert await list_pushes(store) == {}


async def test_a_push_that_cannot_be_noted_is_delivered_all_the_same(
    notices: NotificationService, store: Store
) -> None:
    with take_table_away(store, "app_pushes"):
        line = only(await notices.deliver(delivery(notice("finance-chief"))))
    assert line.outcome is NotificationOutcome.ACCEPTED
