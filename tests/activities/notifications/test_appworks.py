"""The dialect `appworks`: the gateway's body, and what a status means."""

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from activities.keys import KeyRing
from activities.notifications.config import AppWorksConfig, open_dialect
from activities.notifications.links import SigningLinks
from activities.notifications.message import NotificationMessage, compose, wire_size
from activities.notifications.push_services import LIMIT, MessageFate, PushDialect, appworks_body
from deploy.sandbox.server import RunningSandbox
from tests.activities.notifications.stage import brief, delivery, notice, pushes
from tests.activities.reading import reading
from workflows.model.notifications import NoticeAction


def message(action: NoticeAction = NoticeAction.SIGN, name: str = "Agreement") -> NotificationMessage:
    order = notice("chief-executive", action=action)
    signing_delivery = delivery(
        order, subject=brief().replace(title=name), due_at=datetime(2026, 12, 11, 17, tzinfo=UTC)
    )
    return compose(
        signing_delivery,
        order,
        reading("en", "UTC"),
        SigningLinks("https://sign.example", KeyRing([SecretStr("s" * 32)])),
    )


def test_the_body_is_the_contracts_and_carries_the_key_for_every_platform() -> None:
    push_message = message()
    body = appworks_body("u1", push_message, "sign-app", 1_735_725_600)
    assert body["users"] == ["u1"]
    assert (body["title"], body["summary"]) == (push_message.title, push_message.body)
    assert body["data"] == {"target": "sign-app", "created": 1_735_725_600, "sign-app": push_message.data}
    assert body["collapseKey"] == push_message.key
    assert body["androidConfig"]["notification"] == {"tag": push_message.key}
    assert body["apnsConfig"]["headers"]["apns-collapse-id"] == push_message.key


def test_a_withdrawal_shows_nothing() -> None:
    body = appworks_body("u1", message(NoticeAction.WITHDRAW), "sign-app", 0)
    assert not {"title", "summary"} & body.keys()
    assert "notification" not in body["androidConfig"]


def test_a_long_name_is_cut() -> None:
    assert wire_size(appworks_body("u1", message(name="✍️" * 3_000), "sign-app", 0)) <= LIMIT


async def test_a_message_arrives(sandbox: RunningSandbox, appworks: PushDialect) -> None:
    assert (await appworks.send("chief-executive", message())).fate is MessageFate.ACCEPTED
    (arrived,) = pushes(sandbox)
    assert (arrived["person"], arrived["key"], arrived["action"]) == ("chief-executive", message().key, "sign")


async def test_a_wrong_key_is_unauthorised_and_the_doctor_says_so(sandbox: RunningSandbox) -> None:
    dialect = open_dialect(AppWorksConfig(sandbox.url, sandbox.state.settings.push_app, SecretStr("wrong")))
    assert dialect is not None
    assert (await dialect.send("chief-executive", message())).fate is MessageFate.UNAUTHORISED
    with pytest.raises(Exception, match="answered 401"):
        await dialect.check()
    await dialect.aclose()


async def test_the_doctor_sends_nothing(sandbox: RunningSandbox, appworks: PushDialect) -> None:
    await appworks.check()
    assert not pushes(sandbox)


def test_push_can_be_off() -> None:
    assert open_dialect(None) is None
