"""A rude push service, felt by a whole request: each phone by itself, and never one notice twice on a screen."""

from datetime import timedelta

import pytest

from tests.faults.population import LONER, PATIENT, PHONELESS, SIGNER, colleague, tokens
from tests.faults.town import Town, eventually
from tests.faults.vendor import SENDS, Entry, Vendor, instant
from workflows.model.notifications import Channel, NotificationOutcome

ASKED = timedelta(seconds=2) - timedelta(milliseconds=10)

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]


async def test_three_phones_of_which_one_fails_once_are_four_sends_and_one_notice_each(shared: Town) -> None:
    """C2: only the phone that failed is tried again."""
    await shared.vendor.arm("503", SENDS, contains=tokens(SIGNER)[1])
    last_entry = await shared.vendor.last()
    await shared.ask("three-phones", SIGNER)
    await shared.until_shown("three-phones", lambda view: view.notifications)
    await shared.forward("three-phones", timedelta(seconds=10))
    offer = 1
    assert len(await _sends(shared.vendor, "three-phones", last_entry)) == 4 + offer
    screen = await shared.vendor.screen(SIGNER, "three-phones")
    assert {token: len(notices) for token, notices in screen.items()} == dict.fromkeys(tokens(SIGNER), 1)
    [line] = [line for line in (await shared.read_view("three-phones")).notifications if line.stage == "ready"]
    assert [device.outcome for device in line.devices] == [NotificationOutcome.ACCEPTED] * 3


async def test_a_send_whose_answer_was_lost_stands_once_on_the_screen(shared: Town) -> None:
    """C3: repeated under the same key, so the phone replaces the first by the second."""
    person = colleague(10)
    await shared.vendor.arm("cut", SENDS, contains=tokens(person)[0])
    await shared.ask("lost-push", person)
    await shared.until_shown("lost-push", lambda view: view.notifications)
    await shared.forward("lost-push", timedelta(seconds=10))
    pushes = await shared.vendor.pushes("lost-push", "ready")
    assert sorted(push["token"] for push in pushes) == [tokens(person)[0], *tokens(person)]
    screen = await shared.vendor.screen(person, "lost-push")
    assert [len(notices) for notices in screen.values()] == [1, 1]


async def test_a_phone_that_is_gone_is_never_tried_again_and_mail_takes_over_from_the_last(shared: Town) -> None:
    """C1, C7: 0 retries to a dead token; with none left Core Signature's mail, and the escalation still in time."""
    first, second = tokens(LONER)
    await shared.vendor.mark(first, "unregistered")
    last_entry = await shared.vendor.last()
    policy = {**PATIENT, "escalation": {"after": "7d", "or": None, "action": "notify", "to": ["manager"]}}
    await shared.ask("gone", LONER, policy=policy)
    await shared.until_shown("gone", lambda view: view.notifications)
    await shared.vendor.mark(second, "unregistered")
    await shared.forward("gone", timedelta(days=10))
    view = await shared.until_shown("gone", lambda view: view.escalations)
    refused = await shared.vendor.ledger("push_refused", last_entry)
    assert sorted(entry["token"] for entry in refused) == [first, second]
    channels = {line.stage: line.channel for line in view.notifications}
    assert (channels["ready"], channels["escalation"]) == (Channel.PUSH, Channel.PUSH)
    assert (channels["reminder-1"], channels["reminder-2"]) == (Channel.MAIL, Channel.MAIL)
    waited = view.escalations[0].at - view.notifications[0].at
    assert timedelta(days=9) <= waited < timedelta(days=9, minutes=16), "one `every` after the second reminder"
    mailed = [line for line in view.notifications if line.channel is Channel.MAIL]
    mails = await shared.vendor.ledger("mail", last_entry, kind="resend")
    assert len(mails) == len(mailed)
    assert timedelta() <= instant(mails[0]) - instant(refused[1]) <= timedelta(minutes=1)


async def test_who_has_no_phone_is_mailed_by_core_signature_within_the_minute_and_the_ledger_says_so(
    shared: Town,
) -> None:
    """C7: counted from the instant in which the document was there to be signed, and on the request's own clock."""
    await shared.ask("no-phone", PHONELESS)
    view = await shared.until_shown("no-phone", lambda view: view.notifications)
    [notification] = [line for line in view.notifications if line.stage == "ready"]
    assert (notification.channel, notification.outcome, notification.devices) == (
        Channel.MAIL,
        NotificationOutcome.ACCEPTED,
        (),
    )
    assert notification.at - view.timeline[0].at <= timedelta(minutes=1)
    [document_entry] = await shared.vendor.ledger("document_created", external_id="no-phone")
    [mail] = await shared.vendor.ledger("mail", external_id="no-phone")
    assert (mail["to"], mail["kind"]) == (f"{PHONELESS}@acme.test", "sign")
    assert instant(mail) - instant(document_entry) <= timedelta(minutes=1)


async def test_a_429_leaves_everybody_alone_for_as_long_as_asked_and_all_are_told_afterwards(shared: Town) -> None:
    """C4: the quota is the project's: one `Retry-After` holds every send, no request is in trouble for it."""
    limited, free = tokens(colleague(11))
    last_entry = await shared.vendor.last()
    await shared.vendor.arm("429", SENDS, contains=limited, retry_after=2)
    await shared.ask("over-quota", colleague(11))

    async def refusal() -> Entry | None:
        return next(
            (entry for entry in await _sends(shared.vendor, "over-quota", last_entry) if entry["status"] == 429), None
        )

    refused = await eventually(refusal)
    await shared.ask("paused-as-well", colleague(12))
    await shared.until_shown(
        "paused-as-well", lambda view: len([line for line in view.notifications if line.reached]) > 1
    )
    assert len(await shared.vendor.pushes("paused-as-well", "ready")) == 2
    await shared.forward("over-quota", timedelta(seconds=70))
    assert sorted(push["token"] for push in await shared.vendor.pushes("over-quota", "ready")) == [limited, free]
    later_calls = [call for call in await _sends(shared.vendor, "over-quota", last_entry) if call["n"] > refused["n"]]
    at_once, later = _under_way(free, later_calls), await _sends(shared.vendor, "paused-as-well", last_entry)
    assert later
    assert min(instant(call) for call in later_calls + later if call not in at_once) >= instant(refused) + ASKED
    assert [(await shared.read_view(request)).problem for request in ("over-quota", "paused-as-well")] == [None, None]


async def test_the_longest_title_of_families_is_taken_by_every_phone(shared: Town) -> None:
    """C5: 200 characters of joined emoji are cut at a grapheme if need be, and refused by nobody."""
    last_entry = await shared.vendor.last()
    await shared.ask("families", colleague(13), name="\N{FAMILY}\u200d\N{GIRL}" * 66)
    await shared.until_shown("families", lambda view: view.notifications)
    assert len(await shared.vendor.pushes("families", "ready")) == 2
    assert await shared.vendor.ledger("push_refused", last_entry) == []


async def test_refused_credentials_bury_no_phone(shared: Town) -> None:
    """C8: 401 of the push service is our problem; every token is kept and told once it is mended."""
    person = colleague(14)
    for token in tokens(person):
        await shared.vendor.arm("401", SENDS, contains=token, times=2)
    await shared.ask("no-credentials", person)
    await shared.until_shown("no-credentials", lambda view: view.problem)
    await shared.forward("no-credentials", timedelta(seconds=31))
    assert sorted(push["token"] for push in await shared.vendor.pushes("no-credentials", "ready")) == tokens(person)


def _under_way(token: str, calls: list[Entry]) -> list[Entry]:
    """The first send to the other phone: it was begun together with the one that was refused."""
    return [call for call in calls if call["body"]["message"]["token"] == token][:1]


async def _sends(vendor: Vendor, request: str, after_entry: int) -> list[Entry]:
    calls = await vendor.ledger("request", after_entry, method="POST")
    return [
        call
        for call in calls
        if call["path"].endswith("messages:send") and call["body"]["message"]["data"]["request"] == request
    ]
