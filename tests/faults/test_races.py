"""What happened in the same instant ends the same way, whichever of it Temporal delivers first.

`make chaos` has a hundred of each.
"""

import asyncio
import random
from datetime import timedelta

import pytest

from starter.boot import clients
from starter.config import settings
from starter.config.settings import Need
from starter.queries import commands
from tests.faults.evidence import gather
from tests.faults.oracle import judge
from tests.faults.population import REQUESTER, colleague
from tests.faults.races import (
    cancelled_during_escalation,
    falls_due,
    has_fired,
    in_order,
    is_cancelled,
    nearly_due,
    nobody_works,
    signer_signs,
    wait_for_ends,
    waiting,
    waits,
)
from tests.faults.town import Town
from workflows.model.commands import Delegation
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.long
async def test_what_happens_while_nobody_works_ends_alike_in_either_order(shared: Town) -> None:
    """F1, F4: a signature comes in the instant of the escalation, and with a cancellation in one workflow task: it is a
    fact, nobody is asked needlessly, and the fan-out runs."""
    [timer_first], [signal_first] = await waiting(shared, "timer-first", 1), await waiting(shared, "signal-first", 1)
    [signed_first], [cancelled_first] = (
        await waiting(shared, "signed-first", 1),
        await waiting(shared, "cancel-first", 1),
    )
    escalating = [timer_first, signal_first]
    await nearly_due(shared, escalating)
    async with nobody_works(shared):
        assert not any([await has_fired(shared, name) for name in escalating]), "too slow a machine"
        await asyncio.gather(
            in_order(shared, [timer_first], falls_due, signer_signs),
            in_order(shared, [signal_first], signer_signs, falls_due),
            in_order(shared, [signed_first], signer_signs, is_cancelled),
            in_order(shared, [cancelled_first], is_cancelled, signer_signs),
        )
    for view in await wait_for_ends(shared, [*escalating, signed_first, cancelled_first]):
        assert (view.status, view.escalations) == (Status.SIGNED, ())
        assert [line.state for line in view.handoffs] == ["done"]
        assert judge(await gather(shared, {}, view.id)) == []


@pytest.mark.long
async def test_cancelled_at_any_point_of_an_escalation_is_cancelled_at_the_provider(shared: Town) -> None:
    """F3: at random offsets: the provider's document is cancelled every time, and nobody is nudged afterwards."""
    names, dice = await waiting(shared, "escalating", 3), random.Random(3)  # noqa: S311  offsets, no secret
    await asyncio.gather(*(cancelled_during_escalation(shared, name, dice) for name in names))
    for view in await wait_for_ends(shared, names):
        assert view.status is Status.CANCELLED
        assert [document["status"] for document in await shared.vendor.documents(view.id)] == ["ca"]
    assert judge(await gather(shared, {}, "escalating")) == []


async def test_who_was_replaced_is_asked_no_more_and_the_new_signer_starts_fresh(shared: Town) -> None:
    """F5: all that the old one hears is who signs instead; no reminder on the third day, the new one's on the fifth."""
    replaced_signer, new, day = colleague(53), colleague(54), timedelta(days=1)
    await waits(shared, "replaced", replaced_signer)
    await shared.forward("replaced", 2 * day)
    command = Delegation(actor=REQUESTER, signer=replaced_signer, to=new)
    await commands.carry_out(shared.context.client, "replaced", command, "op-1")
    [event] = await shared.vendor.ledger("signer_forwarded", external_id="replaced")
    for days, stages in ((1.5, ["ready"]), (2, ["ready", "reminder-1"])):
        await shared.forward("replaced", days * day)
        assert await _stages(shared, "replaced", new, event["n"]) == stages
        assert await _stages(shared, "replaced", replaced_signer, event["n"]) == ["reassigned"]


async def test_who_forwarded_the_document_themselves_is_asked_no_more(shared: Town) -> None:
    """F5: to somebody whom nobody here knows, who gets Core Signature's mail."""
    replaced_signer, stranger = colleague(55), "partner@elsewhere.test"
    await waits(shared, "passed-on", replaced_signer)
    [document] = await shared.vendor.documents("passed-on")
    async with clients.opened(settings.load(Need.SIGNATURE, environment=shared.environment)) as connections:
        provider_document = await connections.signature.document(document["uuid"])
        assert provider_document.request
        await connections.signature.forward(provider_document.request.uuid, f"{replaced_signer}@acme.test", stranger)
    await shared.until_idle("passed-on")
    [event] = await shared.vendor.ledger("signer_forwarded", external_id="passed-on")
    await shared.forward("passed-on", timedelta(days=7))
    assert await _stages(shared, "passed-on", replaced_signer, event["n"]) == ["reassigned"]
    mails = await shared.vendor.ledger("mail", external_id="passed-on")
    assert {mail["to"] for mail in mails} == {stranger}


async def _stages(town: Town, request: str, person: str, after_entry: int) -> list[str]:
    """What phones of somebody have taken since."""
    pushes = [
        push
        for push in await town.vendor.pushes(request)
        if (push["person"], push["n"] > after_entry) == (person, True)
    ]
    return list(dict.fromkeys(push["data"]["stage"] for push in pushes))
