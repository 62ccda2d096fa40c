"""Who an escalation reaches, and why the others are skipped."""

from typing import Any

from activities.person import Absence
from tests.activities.book import BOOK, Book, plan, somebody
from workflows.model import Escalation, MomentKind, Policy

DEFAULT = Escalation()


async def alerted(book: Book = BOOK, escalation: Escalation = DEFAULT, **more: Any) -> tuple[str, str]:
    agenda = await plan(Policy(escalation=escalation), book, **more)
    moment = next(moment for moment in agenda.moments if moment.kind is MomentKind.ESCALATE)
    return moment.to, moment.why.split(": ", 1)[1]


async def test_alternates_come_first() -> None:
    to, why = await alerted(escalation=Escalation(alternates=("signer", "alternate")))
    assert to == "alternate"
    assert why == "to alternate, the named alternate; not to signer, who is the silent signer"


async def test_the_order_of_the_chain_is_the_policys() -> None:
    escalation = Escalation(to=("manager", "alternates"), alternates=("alternate",))
    assert (await alerted(escalation=escalation))[0] == "manager"


async def test_other_signers_and_the_requester_are_skipped_upward() -> None:
    to, why = await alerted(signers=("signer", "manager"))
    assert to == "director"
    assert why == "to director, the manager of manager; not to manager, who is another signer"
    assert (await alerted(requester="manager"))[0] == "director"


async def test_the_chain_ends_at_its_depth_then_comes_the_fallback() -> None:
    signers = ("signer", "manager")
    assert (await alerted(escalation=Escalation(depth=1, fallback="fallback"), signers=signers))[0] == "fallback"


async def test_when_nobody_is_left_the_requester_hears_it() -> None:
    to, why = await alerted(signers=("signer", "manager", "director"))
    assert to == "requester"
    assert why.startswith("nobody is left to act, so the requester is told; not to manager, who is another signer")


async def test_the_delegate_stands_in_for_the_absent_only() -> None:
    def book(away: str) -> Book:
        absence = Absence.model_validate({"from": away, "until": away})
        signer = somebody("signer", delegate="alternate", manager="manager", absent=(absence,))
        return Book(somebody("requester"), somebody("alternate"), somebody("manager"), signer)

    assert (await alerted(book("2026-11-17")))[0] == "alternate"
    assert (await alerted(book("2026-11-16")))[0] == "manager"
