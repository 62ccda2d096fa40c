"""What only offers something: without a sound, once everybody else was told, and never in anybody's way."""

import pytest
from temporalio.exceptions import ApplicationError

from activities.notifications.links import SigningLinks
from activities.notifications.message import NotificationMessage, compose
from activities.notifications.push_services import appworks_body, fcm_body
from activities.notifications.service import NotificationService
from deploy.sandbox.push.api import parse_request, validate
from deploy.sandbox.server import RunningSandbox
from tests.activities.notifications.stage import arm, delivery, notice, pushes, sends
from tests.activities.reading import reading
from workflows.kinds import Kind
from workflows.model.notifications import NoticeAction, NotificationOutcome

ASKED = notice("chief-executive")
OFFER = notice("legal-desk", "follow", NoticeAction.OPEN)


def compose_offer(links: SigningLinks, kind: Kind = Kind.REQUEST) -> NotificationMessage:
    signing_delivery = delivery(ASKED, OFFER)
    return compose(
        signing_delivery.replace(subject=signing_delivery.subject.replace(type=kind)), OFFER, reading(), links
    )


@pytest.mark.parametrize(
    ("kind", "title", "page"),
    [
        (Kind.REQUEST, "Sent: Master services agreement", "requests/msa-0042"),
        (Kind.TASK, "Under way: Master services agreement", "tasks/msa-0042"),
    ],
)
def test_it_names_the_page_at_the_desk_and_nobody(links: SigningLinks, kind: Kind, title: str, page: str) -> None:
    message = compose_offer(links, kind)
    assert (message.title, message.link) == (title, f"https://sign.example/desk/{page}")
    assert message.body == "You can follow it at the desk."


def test_it_makes_no_sound_whatever_the_phone(links: SigningLinks) -> None:
    body = fcm_body("legal-desk~1", compose_offer(links))
    validate(parse_request(body)["message"])
    sent = body["message"]
    assert (sent["android"]["priority"], sent["android"]["notification"]["notification_priority"]) == (
        "NORMAL",
        "PRIORITY_LOW",
    )
    assert (sent["apns"]["headers"]["apns-priority"], "sound" in sent["apns"]["payload"]["aps"]) == ("5", False)
    assert (sent["webpush"]["headers"]["Urgency"], sent["webpush"]["notification"]) == ("very-low", {"silent": True})
    appworks = appworks_body("legal-desk", compose_offer(links), "app", 0)
    assert (appworks["androidConfig"]["priority"], appworks["apnsConfig"]["headers"]["apns-priority"]) == (
        "NORMAL",
        "5",
    )


async def test_it_goes_out_after_those_who_are_asked_in_the_same_call(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    report = await notices.deliver(delivery(OFFER, ASKED))
    assert [line.stage for line in report.delivered] == ["ready", "follow"]
    assert pushes(sandbox)[-1]["person"] == "legal-desk"


async def test_while_nobody_who_is_asked_can_be_told_it_is_not_sent_and_the_call_is_tried_again(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    arm(sandbox, fault="503", contains="chief-executive", times=3)
    with pytest.raises(ApplicationError):
        await notices.deliver(delivery(ASKED, OFFER))
    assert pushes(sandbox) == []
    await notices.deliver(delivery(ASKED, OFFER))
    assert [push["person"] for push in pushes(sandbox)].count("legal-desk") == 1


async def test_a_phone_that_does_not_take_it_is_tried_once_and_stops_nothing(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    arm(sandbox, fault="503", contains="legal-desk", times=9)
    report = await notices.deliver(delivery(ASKED, OFFER))
    assert [line.outcome for line in report.delivered] == [NotificationOutcome.ACCEPTED, NotificationOutcome.FAILED]
    assert (report.open_devices, len(sends(sandbox))) == ((), 4)


async def test_whoever_is_not_in_the_directory_is_offered_nothing(notices: NotificationService) -> None:
    nobody = notice("order-system", "follow", NoticeAction.OPEN)
    report = await notices.deliver(delivery(ASKED, nobody))
    assert [line.person for line in report.delivered] == ["chief-executive"]
    assert report.open_notices == ()
