"""The largest values that the files allow, as a history has them: far from Temporal's 2 MiB, so none is refused."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from activities.follow_up.nearest import REMINDERS_AT_ONCE
from starter.payload_converter import terse_data_converter
from workflows.follow_up.ledger import LINES_AT_MOST
from workflows.model.base import Model
from workflows.model.happened import Happened
from workflows.model.notices import Channel, Delivered, DeviceOutcome, Outcome
from workflows.model.planning import Agenda, Moment, MomentKind, Reason
from workflows.model.policy import Policy
from workflows.model.request import Brief, Document
from workflows.model.subject import Participant
from workflows.names import notice_key
from workflows.signature.inputs import SignatureRequest
from workflows.signature.progress import Progress

AT_MOST = 256 * 1024
AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
SIGNERS = tuple(sha256(str(number).encode()).hexdigest()[:64] for number in range(100))
"""A hundred, which is all that a file may have, with names that nothing can shorten."""
WARNINGS = tuple(f"warning-{days}d" for days in range(1, 11))
"""Ten, which is all that a policy may have."""


def test_the_agenda_of_a_hundred_signers_with_every_warning_that_a_policy_may_have() -> None:
    assert _bytes(_agenda()) < AT_MOST


def test_the_memory_of_a_hundred_signers_that_goes_on_in_a_fresh_run() -> None:
    request = SignatureRequest(brief=_brief(), policy=Policy())
    known = Progress.begin(request.brief, AT).planned(_agenda(), AT)
    known = known.replace(planned_once=_moments("earlier", REMINDERS_AT_ONCE * 3 // 100 + 1)[:700])
    for number in range(2 * LINES_AT_MOST // len(SIGNERS)):
        known = known.told(tuple(_line(f"reminder-{number}", person) for person in SIGNERS), AT)
    for number in range(LINES_AT_MOST):
        known = known.note(AT, Happened.PUT_OFF, SIGNERS[number % 100], "x" * 160, about=f"reminder-{number}")
    assert _bytes(request.replace(carried=known)) < AT_MOST


def _bytes(value: Model) -> int:
    return terse_data_converter.payload_converter.to_payload(value).ByteSize()


def _brief() -> Brief:
    return Brief(
        id="r" * 64,
        kind="customer-contract",
        title="n" * 200,
        document=Document(sha256="ab" * 32, size=1),
        requester="legal-desk",
        people=tuple(Participant(person=person, order=1) for person in SIGNERS),
        message="m" * 4_000,
    )


def _agenda() -> Agenda:
    reminders = _moments("reminder", max(2, REMINDERS_AT_ONCE // len(SIGNERS)))
    warnings = tuple(one for stage in WARNINGS for one in _stage(stage, MomentKind.WARN))
    alerts = (*_stage("escalation", MomentKind.ESCALATE), *_stage("escalated", MomentKind.ESCALATED))
    forbidden = tuple(one.replace(suppressed=Reason.ABSENT) for one in (*reminders, *warnings))
    return Agenda(due_at=AT, moments=(*reminders, *warnings, *alerts), dropped=forbidden)


def _moments(series: str, each: int) -> tuple[Moment, ...]:
    return tuple(one for number in range(each) for one in _stage(f"{series}-{number}", MomentKind.REMIND))


def _stage(stage: str, kind: MomentKind) -> tuple[Moment, ...]:
    """The same of each signer, at an instant of their own."""
    return tuple(
        Moment(at=AT + timedelta(seconds=number), kind=kind, stage=stage, person=one, to=one, why=f"{stage} of {one}")
        for number, one in enumerate(SIGNERS)
    )


def _line(stage: str, person: str) -> Delivered:
    devices = tuple(DeviceOutcome(device=f"{number:012}") for number in range(3))
    return Delivered(
        key=notice_key("r" * 64, stage, person),
        stage=stage,
        person=person,
        channel=Channel.PUSH,
        outcome=Outcome.ACCEPTED,
        why="every 3 days",
        devices=devices,
    )
