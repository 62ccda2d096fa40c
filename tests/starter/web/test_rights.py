"""The table of rights, cell by cell: what somebody is to a request, what they see of it, whether they may download."""

from datetime import UTC, datetime

import pytest

from activities.policies.catalogue import StarterEntry
from starter.web.rights import RIGHTS, ReaderRole, Rights, Sight, Standing, may_start, rights_of
from workflows.follow_up.notification_types import NotificationType
from workflows.model.notifications import Notification, NotificationOutcome
from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status
from workflows.model.views import AssigneeLine, RequestShow, SignerLine, TaskShow

NOW = datetime(2026, 11, 26, 14, tzinfo=UTC)
REQUESTER, SIGNER, COPY, FORMER, TOLD, MISSED = "legal", "chair", "archive", "executive", "finance", "sales"


def told(
    person: str, outcome: NotificationOutcome = NotificationOutcome.ACCEPTED, stage: str = "settled"
) -> Notification:
    return Notification(key=f"{stage}-{person}", stage=stage, person=person, outcome=outcome, at=NOW)


SHOWN = RequestShow(
    id="msa-0042",
    kind="nda",
    document="Master services agreement",
    requester=REQUESTER,
    status=Status.SIGNED,
    signers=(
        SignerLine(person=FORMER, order=1, role=Role.SIGN, state=SignerState.REASSIGNED),
        SignerLine(person=SIGNER, order=1, role=Role.SIGN, state=SignerState.SIGNED),
        SignerLine(person=COPY, order=2, role=Role.COPY, state=SignerState.COPIED),
    ),
    notifications=(
        told(TOLD),
        told(FORMER),
        told(MISSED, NotificationOutcome.FAILED),
        told("onlooker", stage=NotificationType.ESCALATION),
    ),
    says="",
)
ROLES = {
    Standing.OPERATOR: ReaderRole("ops", operator=True),
    Standing.REQUESTER: ReaderRole(REQUESTER),
    Standing.ABOVE_REQUESTER: ReaderRole("head", reports=("x", REQUESTER)),
    Standing.ASKED: ReaderRole(SIGNER),
    Standing.REPLACED: ReaderRole(FORMER),
    Standing.ABOVE_ASKED: ReaderRole("lead", reports=(SIGNER,)),
    Standing.ABOVE_REPLACED: ReaderRole("boss", reports=(FORMER,)),
    Standing.TOLD: ReaderRole(TOLD),
}


@pytest.mark.parametrize(
    ("standing", "sight", "download"),
    [
        (Standing.OPERATOR, Sight.EVERYTHING, True),
        (Standing.REQUESTER, Sight.EVERYTHING, True),
        (Standing.ABOVE_REQUESTER, Sight.EVERYTHING, False),
        (Standing.ASKED, Sight.TITLE, True),
        (Standing.REPLACED, Sight.TITLE, False),
        (Standing.ABOVE_ASKED, Sight.STATUS, True),
        (Standing.ABOVE_REPLACED, Sight.STATUS, False),
        (Standing.TOLD, Sight.TITLE, True),
    ],
)
def test_each_sees_and_downloads_what_the_table_says(standing: Standing, sight: Sight, download: bool) -> None:
    assert rights_of(ROLES[standing], SHOWN) == RIGHTS[standing] == Rights(sight, download=download)


def test_the_table_has_every_standing() -> None:
    assert set(ROLES) == set(RIGHTS) == set(Standing)


@pytest.mark.parametrize("person", ["stranger", MISSED, "onlooker", ""])
def test_nobody_else_sees_anything(person: str) -> None:
    assert rights_of(ReaderRole(person, reports=("x",)), SHOWN) == Rights()


def test_who_gets_a_copy_may_have_it_from_here_as_well() -> None:
    assert rights_of(ReaderRole(COPY), SHOWN).download


def test_somebody_who_is_several_things_may_what_each_of_them_may() -> None:
    above_both = ReaderRole(FORMER, reports=(REQUESTER, SIGNER))
    assert rights_of(above_both, SHOWN) == Rights(Sight.EVERYTHING, download=True)


def test_who_has_the_place_again_counts_as_asked() -> None:
    again = SHOWN.replace(
        signers=(*SHOWN.signers, SignerLine(person=FORMER, order=1, role=Role.SIGN, state=SignerState.SIGNED))
    )
    assert rights_of(ReaderRole(FORMER), again) == RIGHTS[Standing.ASKED]


def test_who_is_told_that_a_task_has_ended_sees_no_more_of_it_than_before() -> None:
    task = TaskShow(
        id="acme.account",
        kind="team-task",
        title="Create the account",
        requester=REQUESTER,
        status=Status.DONE,
        people=(AssigneeLine(person=SIGNER, state="done"),),
        notifications=(told(TOLD),),
        says="",
    )
    assert rights_of(ReaderRole(TOLD), task) == Rights()
    assert rights_of(ReaderRole(SIGNER), task).sight is Sight.TITLE


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (ReaderRole("ada", groups=frozenset({"sales"})), (True, False, True, False)),
        (ReaderRole("legal-desk", groups=frozenset({"legal"})), (False, True, True, False)),
        (ReaderRole("ops", operator=True, groups=frozenset({"operators"})), (False, False, True, False)),
    ],
)
def test_who_may_begin_something(role: ReaderRole, may: tuple[bool, ...]) -> None:
    """By group, by id, everybody, nobody; an operator only where they are named."""
    kinds = (StarterEntry(group="sales"),), (StarterEntry(person="legal-desk"),), (StarterEntry(everyone=True),), ()
    assert tuple(may_start(role, starters) for starters in kinds) == may
