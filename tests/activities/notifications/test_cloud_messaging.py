"""The fallback channel: the bodies of cloud messaging, and every fault of the sandbox against its calls."""

import base64
from collections.abc import Mapping
from typing import Final

import httpx
import pytest
from pydantic import SecretStr

from activities.http.client import Service, make_client
from activities.notifications import config
from activities.notifications.cloud_messaging import (
    SMS_AT_MOST,
    CloudMessaging,
    mail_body,
    number_of,
    text_body,
)
from activities.notifications.push_services import MessageFate
from deploy.sandbox.server import RunningSandbox
from tests.activities.fault_table import (
    ASKED_TO_WAIT,
    DONE,
    FAULTS,
    LATE,
    OF_A_SERVICE,
    SHORT,
    arm_always,
    calls_of,
    ending,
)
from tests.activities.notifications.stage import entries, messaging
from tests.activities.notifications.test_faults import FATES
from tests.activities.notifications.test_fcm import message
from workflows.model.notifications import Channel

ADDRESS, PHONE = "customer@acme.test", "+31 20 555 0100"
CHECKS: Final = {
    **OF_A_SERVICE,
    # That there is no such job is what the check hopes for: the service knows us.
    "404": DONE,
}
MESSAGES: Final[Mapping[str, MessageFate]] = {**FATES}


def test_the_body_of_a_mail_has_the_words_and_the_link() -> None:
    push_message = message()
    body = mail_body(ADDRESS, push_message)
    assert body["destinations"] == [{"ref": push_message.key, "email": ADDRESS}]
    assert body["options"]["email_options"]["subject"] == push_message.title
    [part] = body["body"]
    assert base64.b64decode(part["data"]).decode() == f"{push_message.body}\n\n{push_message.link}\n"


@pytest.mark.parametrize("name", ["Agreement", "契約" * 10_000, "✍️" * 3_000])
def test_a_text_is_never_longer_than_three_parts_and_keeps_its_link(name: str) -> None:
    push_message = message(name=name)
    body = text_body(PHONE, push_message)
    assert body["destinations"] == [{"sms": "0031205550100"}]
    assert len(body["sms_text"].encode()) <= SMS_AT_MOST
    assert body["sms_text"].endswith(f" {push_message.link}")


async def test_mail_and_text_arrive_and_are_known_by_our_reference(sandbox: RunningSandbox) -> None:
    async with messaging(sandbox) as channel:
        await channel.check()
        assert (await channel.mail(ADDRESS, message(), "ref-1")).fate is MessageFate.ACCEPTED
        assert (await channel.text(PHONE, message(), "ref-2")).fate is MessageFate.ACCEPTED
    sent = entries(sandbox, "message")
    assert [(entry["kind"], entry["to"], entry["reference"]) for entry in sent] == [
        ("email", ADDRESS, "ref-1"), ("sms", "0031205550100", "ref-2"),
    ]  # fmt: skip
    [mail] = sandbox.state.database.mails.where("customer")
    assert mail.path == message().link


async def test_a_wrong_password_is_ours_and_stands_in_no_text(sandbox: RunningSandbox) -> None:
    async with messaging(sandbox, password="guessed") as channel:
        sent = await channel.mail(ADDRESS, message(), "ref-1")
    assert sent.fate is MessageFate.UNAUTHORISED
    assert "guessed" not in str(sent.failure)
    assert ADDRESS not in str(sent.failure)


async def test_the_number_that_an_error_repeats_stands_in_no_text() -> None:
    error = {"message": f"number {number_of(PHONE)} of {PHONE} is not valid"}
    client = make_client(transport=httpx.MockTransport(lambda _: httpx.Response(400, json=error)))
    channel = CloudMessaging(Service("cloud messaging", "https://mra.example", client), "user", SecretStr("secret"))
    sent = await channel.text(PHONE, message(), "ref-1")
    assert (PHONE in str(sent.failure), number_of(PHONE) in str(sent.failure)) == (False, False)


def test_every_call_and_every_fault_is_in_the_tables() -> None:
    assert calls_of(CloudMessaging) == {"mail", "text", "state", "check"}
    assert MESSAGES.keys() == CHECKS.keys() == FAULTS.keys()


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_has_its_fate_and_its_meaning(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    if fault in LATE:
        monkeypatch.setattr(config, "DEADLINE", SHORT)
    async with messaging(sandbox) as channel:
        arm_always(sandbox, fault, "/mra/*")
        sent = [await channel.mail(ADDRESS, message(), "r"), await channel.text(PHONE, message(), "r")]
        checked = await ending(channel.check())
        # Whatever is said of a job that is not its state says nothing of the letter.
        assert await channel.state(Channel.MAIL, "xsi-1") is MessageFate.PENDING
    assert [result.fate for result in sent] == [MESSAGES[fault]] * 2
    assert fault not in ASKED_TO_WAIT or all(result.wait >= 6 for result in sent)
    assert checked == CHECKS[fault]
