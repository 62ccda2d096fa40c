"""The links to the page of an onboarding that staff may make: a customer's own, one anew, and a preview."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import AwareDatetime

from activities.links import FIRST_SERIAL, LinkUse, SigningLinks, serial_of
from activities.store.store import Store
from starter.error_types import Refusal
from workflows.kinds import Kind, WorkflowName
from workflows.model.base import Model
from workflows.model.views import OnboardingShow

PREVIEW_FOR: Final = timedelta(minutes=30)
"""How long a preview is good for."""


class PageLink(Model):
    """A link to the page of an onboarding as somebody of the customer sees it; `until` says when it closes."""

    id: str
    person: str
    link: str
    until: AwareDatetime | None = None


async def page_link(
    store: Store, links: SigningLinks, shown: OnboardingShow, person: str | None, *, renew: bool
) -> PageLink:
    """The link of somebody of the customer; with `renew` a new one, and those made before are no longer good."""
    who, what = _of_customer(shown, person), WorkflowName(Kind.ONBOARDING, shown.id)
    place = serial_of(what.workflow_id, who)
    if renew:
        await store.replace_serial(place, secrets.token_hex(8))
    serial = await store.serial(place) or FIRST_SERIAL
    return PageLink(id=shown.id, person=who, link=links.link(what.reference, who, LinkUse.VIEW, serial))


def preview_link(
    links: SigningLinks, shown: OnboardingShow, person: str | None = None, now: datetime | None = None
) -> PageLink:
    """A link to the page as somebody of the customer sees it, from which nothing can be done; good for a short time."""
    who, until = _of_customer(shown, person), (now or datetime.now(UTC)).replace(microsecond=0) + PREVIEW_FOR
    reference = WorkflowName(Kind.ONBOARDING, shown.id).reference
    return PageLink(id=shown.id, person=who, link=links.link(reference, who, LinkUse.PREVIEW, until=until), until=until)


def _of_customer(shown: OnboardingShow, person: str | None) -> str:
    if not shown.customer:
        raise Refusal(
            f"{shown.id}: nobody says who its customer is while no worker answers: start `countersign worker`"
        )
    everyone = (shown.customer, *shown.colleagues)
    if person is not None and person not in everyone:
        raise Refusal(f"{person} is none of the customer's people: they are {', '.join(everyone)}")
    return person or shown.customer
