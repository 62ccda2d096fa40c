"""The message that opens the desk: to whose devices, by which channel, and the same on every attempt."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.keys import KeyRing
from activities.notifications.cloud_messaging import CloudMessaging
from activities.notifications.push_services import PushDialect
from activities.notifications.sign_in import BadSignInLink, SignInLink, SignInLinks, SignInMessages, ask_of
from activities.people.file_directory import FileDirectory
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox
from deploy.sandbox.state.faults import ArmedFault
from tests.activities.notifications.conftest import directory, fcm, sandbox, store
from tests.activities.notifications.stage import EXECUTIVES, entries, mark, messaging
from workflows.model.notifications import SignInOrder

__all__ = ["directory", "fcm", "sandbox", "store"]

NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
WAYS = SignInLinks("https://sign.example", KeyRing([SecretStr("s" * 32)]))


@pytest.fixture
async def cloud(sandbox: RunningSandbox) -> AsyncIterator[CloudMessaging]:
    async with messaging(sandbox) as opened:
        yield opened


@pytest.fixture
def messages(fcm: PushDialect, directory: FileDirectory, cloud: CloudMessaging, store: Store) -> SignInMessages:
    return SignInMessages(dialect=fcm, directory=directory, sign_in_links=WAYS, store=store, messaging=cloud)


def order(person: str) -> SignInOrder:
    return SignInOrder(person=person, ask=ask_of(person), at=NOW)


async def send(messages: SignInMessages, sign_in_order: SignInOrder) -> int:
    return (await ActivityEnvironment().run(messages.send, sign_in_order)).told


async def test_every_device_of_theirs_gets_the_link_and_the_number(
    sandbox: RunningSandbox, messages: SignInMessages
) -> None:
    sign_in_order = order("chief-executive")
    assert await send(messages, sign_in_order) == 3
    pushes = entries(sandbox, "push")
    way = SignInLink.from_order(sign_in_order)
    assert [push["token"] for push in pushes] == EXECUTIVES
    assert {push["link"] for push in pushes} == {WAYS.url(way)}
    assert all(WAYS.code(way) in push["text"] for push in pushes)
    assert await send(messages, sign_in_order) == 3
    assert [push["text"] for push in entries(sandbox, "push")[3:]] == [push["text"] for push in pushes]


async def test_the_notice_of_a_used_one_is_taken_off_every_device_and_says_nothing(
    sandbox: RunningSandbox, messages: SignInMessages
) -> None:
    used = order("chief-executive").replace(used=True)
    await send(messages, order("chief-executive"))
    assert (await ActivityEnvironment().run(messages.withdraw, used)).told == 3
    sent, withdrawals = entries(sandbox, "push")[:3], entries(sandbox, "push")[3:]
    assert [push["token"] for push in withdrawals] == EXECUTIVES
    assert {push["key"] for push in withdrawals} == {push["key"] for push in sent}
    assert {(push["action"], push["title"], push["text"], push["link"]) for push in withdrawals} == {
        ("withdraw", None, None, "")
    }
    assert (await ActivityEnvironment().run(messages.withdraw, used.replace(person="somebody-who-left"))).told == 0


async def test_what_a_stranger_asks_for_takes_no_number_of_the_person_s_own_off_their_screens(
    sandbox: RunningSandbox, messages: SignInMessages
) -> None:
    own_order = order("chief-executive")
    strangers = own_order.replace(ask=ask_of("another browser"))
    await send(messages, own_order)
    await send(messages, strangers)
    await ActivityEnvironment().run(messages.withdraw, strangers.replace(used=True))
    keys = [push["key"] for push in entries(sandbox, "push")]
    assert set(keys[:3]).isdisjoint(keys[3:])
    assert set(keys[3:6]) == set(keys[6:])


async def test_whom_no_device_reaches_gets_a_mail(sandbox: RunningSandbox, messages: SignInMessages) -> None:
    assert await send(messages, order("archive")) == 1
    mark(sandbox, "finance-chief~1", "unregistered")
    assert await send(messages, order("finance-chief")) == 1
    assert [message["to"] for message in entries(sandbox, "message")] == ["archive@example.test", "cfo@example.test"]


async def test_a_mail_whose_answer_was_lost_is_not_sent_by_each_attempt(
    sandbox: RunningSandbox, messages: SignInMessages
) -> None:
    sandbox.state.faults.arm(
        ArmedFault.model_validate({"path": "/mra/*", "method": "POST", "fault": "cut", "times": None})
    )
    for _ in range(6):
        with pytest.raises(ApplicationError, match="neither a device nor an address"):
            await send(messages, order("archive"))
    assert len(entries(sandbox, "message")) == 1


@pytest.mark.parametrize("minutes", [-10, 0, 10])
async def test_a_worker_s_clock_ahead_or_behind_keeps_nobody_out(
    sandbox: RunningSandbox, messages: SignInMessages, minutes: int
) -> None:
    """What is asked for by a receiver's clock is sent for as long as the server runs it."""
    sign_in_order = SignInOrder(person="chief-executive", ask="a", at=datetime.now(UTC) + timedelta(minutes=minutes))
    assert await send(messages, sign_in_order) == 3


async def test_who_has_left_is_sent_nothing(sandbox: RunningSandbox, messages: SignInMessages) -> None:
    assert await send(messages, order("somebody-who-left")) == 0
    assert entries(sandbox, "push") == []


async def test_somebody_whom_nothing_reaches_is_tried_again(
    fcm: PushDialect, directory: FileDirectory, store: Store
) -> None:
    alone = SignInMessages(dialect=fcm, directory=directory, sign_in_links=WAYS, store=store)
    with pytest.raises(ApplicationError, match="neither a device nor an address"):
        await send(alone, order("archive"))


def test_a_way_in_is_opened_by_our_secret_alone_and_until_its_time_is_over() -> None:
    way = SignInLink.from_order(order("chair"))
    ref = WAYS.url(way).rpartition("/")[2]
    assert WAYS.open(ref, NOW) == way
    with pytest.raises(BadSignInLink):
        WAYS.open(ref, way.until)
    with pytest.raises(BadSignInLink):
        SignInLinks("https://sign.example", KeyRing([SecretStr("t" * 32)])).open(ref, NOW)
    assert "chair" not in ref
    assert len(WAYS.code(way)) == 6


async def test_people_are_found_by_id_and_by_an_address_that_is_theirs_alone(tmp_path: Path, store: object) -> None:
    file = tmp_path / "shared.yaml"
    file.write_text(
        "people:\n"
        "  - {id: a, name: A, email: A@x.test, zone: UTC}\n"
        "  - {id: b, name: B, email: shared@x.test, zone: UTC, manager: a}\n"
        "  - {id: c, name: C, email: shared@x.test, zone: UTC, manager: b}\n"
    )
    people = FileDirectory(file, store)  # type: ignore[arg-type]
    people_found = [await people.named(search_text) for search_text in ("a", " a@X.test ", "shared@x.test", "c", "d")]
    assert [person.id if person else None for person in people_found] == ["a", "a", None, "c", None]
    assert (await people.reports("a"), await people.reports("c")) == (("b", "c"), ())
