"""A notice of an onboarding has the link that is good now."""

from urllib.parse import urlsplit

from activities.notifications.links import SigningLinks, serial_of
from activities.notifications.service import NotificationService
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox
from tests.activities.notifications.stage import only, pushes
from tests.activities.notifications.test_quiet import NOON, WHO
from workflows.model.notifications import Delivery, NoticeAction, NotificationOrder
from workflows.model.onboarding import Onboarding
from workflows.model.subject import Participant, Role

PEOPLE = (Participant(person=WHO, role=Role.DO),)
ACME = Onboarding(id="acme", kind="customer-onboarding", title="Acme", requester="legal-desk", people=PEOPLE)


async def test_a_link_that_was_made_anew_is_the_one_that_is_sent(
    notices: NotificationService, links: SigningLinks, store: Store, sandbox: RunningSandbox
) -> None:
    serials = []
    for number, serial in enumerate(("", "b7", "c8")):
        if serial:
            await store.one_use.replace_serial(serial_of(ACME.subject.reference, WHO), serial)
        stage = f"link-{number}"
        notice = NotificationOrder(key=f"acme/{stage}/{WHO}", stage=stage, person=WHO, action=NoticeAction.OPEN)
        report = await notices.deliver(Delivery(subject=ACME.subject, notices=(notice,), now=NOON))
        assert only(report).outcome == "accepted"
        link = pushes(sandbox)[-1]["data"]["link"]
        serials.append(links.open(urlsplit(link).path.rpartition("/")[2]).serial)
    assert serials == ["0", "b7", "c8"]
