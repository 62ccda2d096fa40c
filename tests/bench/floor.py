"""The floor: the smallest honest workflow that asks the same of the world as the measured request, in small words.

It makes as many calls, on the same queues, waits as often, and gives each call the least that it needs: its models are
its own. It cannot say what it waits for, has no search attributes but those of its start, plans nothing but three
reminders, and knows no problem, no probe, no straggler, no cancellation, no second signer's turn and no
continue-as-new. What the real workflow costs above it is the price of exactly these.
"""

from datetime import datetime, timedelta
from typing import Final

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import AwareDatetime

    from workflows.follow_up import options
    from workflows.model.base import Model
    from workflows.names import PROVIDER_EVENT

FLOOR: Final = "SignatureRequestFloor"
_NOW: Final = timedelta()


class FloorInput(Model):
    """Input: what is to be signed, by whom, and who is told of it."""

    id: str
    title: str
    sha256: str
    requester: str
    signers: tuple[str, ...]
    targets: tuple[str, ...]


class Order(Model):
    """Make a document of these bytes for these signers."""

    id: str
    title: str
    sha256: str
    signers: tuple[str, ...]


class Dates(Model):
    """When to remind, escalate and end."""

    reminders: tuple[AwareDatetime, ...]
    escalation: AwareDatetime
    due: AwareDatetime


class Telling(Model):
    """Tell these people of a stage, unless the document says that they have acted."""

    id: str
    title: str
    stage: str
    people: tuple[str, ...]
    due: AwareDatetime
    document: str | None = None


class FloorNotice(Model):
    """Which of somebody's devices took it."""

    person: str
    devices: tuple[str, ...]


class Report(Model):
    """What became of a stage, and whether the document has news."""

    notices: tuple[FloorNotice, ...]
    news: bool = False


class Signed(Model):
    """Who has signed, and when."""

    person: str
    at: AwareDatetime


class Line(Model):
    """A stage of the record."""

    stage: str
    at: AwareDatetime
    notices: tuple[FloorNotice, ...]


class File(Model):
    """A file that is kept, by its hash."""

    sha256: str
    bytes: int


class KeptFile(Model):
    """The signed document and the log of it."""

    document: File
    log: File


class Ending(Model):
    """Keep this on record and tell these targets."""

    id: str
    title: str
    sha256: str
    at: AwareDatetime
    signed: tuple[Signed, ...]
    file: KeptFile | None = None
    record: tuple[Line, ...]
    targets: tuple[str, ...]


class Done(Model):
    """Who of the targets was told."""

    notices: tuple[FloorNotice, ...]


@workflow.defn(name=FLOOR)
class FloorWorkflow:
    """Send, plan, announce, remind at each planned instant, wait for the signature, read, hand off."""

    @workflow.init
    def __init__(self, floor_input: FloorInput) -> None:
        self._input = floor_input
        self._record: tuple[Line, ...] = ()
        self._unread = False

    @workflow.run
    async def run(self, floor_input: FloorInput) -> tuple[Signed, ...]:
        """The happy path, straight down."""
        order = Order(
            id=floor_input.id, title=floor_input.title, sha256=floor_input.sha256, signers=floor_input.signers
        )
        document = await workflow.execute_activity(
            create, order, summary="create at Core Signature", **options.CREATE_FIRST
        )
        dates = await workflow.execute_local_activity(
            plan, workflow.now(), summary="plan the next steps", **options.PLAN_LOCALLY
        )
        await self._tell("ready", dates, None)
        for number, due_at in enumerate(dates.reminders, 1):
            await workflow.sleep(max(due_at - workflow.now(), _NOW), summary=f"reminder-{number}")
            await self._tell(f"reminder-{number}", dates, document)
        timeout = dates.escalation - workflow.now()
        await workflow.wait_condition(lambda: self._unread, timeout=timeout, timeout_summary="escalation")
        signed = await workflow.execute_activity(observe, document, summary="read the document", **options.OBSERVE)
        kept_file = await workflow.execute_activity(keep, document, summary="keep the document", **options.EVIDENCE)
        await self._hand_off(signed, kept_file)
        return signed

    @workflow.signal(name=PROVIDER_EVENT, description="Core Signature says that something happened; it is then read")
    def provider_event(self, event: object) -> None:
        """Remember that the document should be read."""
        self._unread = True

    async def _tell(self, stage: str, dates: Dates, document: str | None) -> None:
        floor_input = self._input
        telling = Telling(
            id=floor_input.id,
            title=floor_input.title,
            stage=stage,
            people=floor_input.signers,
            due=dates.due,
            document=document,
        )
        activity_options = options.NUDGE if document else options.NOTIFY
        report = await workflow.execute_activity(
            tell, telling, summary=f"{stage} → {len(floor_input.signers)}", **activity_options
        )
        self._record += (Line(stage=stage, at=workflow.now(), notices=report.notices),)

    async def _hand_off(self, signed: tuple[Signed, ...], kept_file: KeptFile) -> None:
        floor_input = self._input
        ending = Ending(
            id=floor_input.id,
            title=floor_input.title,
            sha256=floor_input.sha256,
            at=workflow.now(),
            signed=signed,
            file=kept_file,
            record=self._record,
            targets=(*floor_input.targets, floor_input.requester, *floor_input.signers),
        )
        await workflow.execute_activity(hand_off, ending, summary="tell everyone", **options.HAND_OFF)


@activity.defn(name="floor_create")
async def create(order: Order) -> str:
    """The document's uuid."""
    return "0c1f7a52-7d0f-4d55-9f0a-2c3a5b1e8d94"


@activity.defn(name="floor_plan")
async def plan(now: datetime) -> Dates:
    """Three reminders, three days apart, then the escalation."""
    first, *later = (now + timedelta(days=3 * number) for number in range(1, 5))
    return Dates(reminders=(first, *later[:-1]), escalation=later[-1], due=now + timedelta(days=30))


@activity.defn(name="floor_tell")
async def tell(telling: Telling) -> Report:
    """Accepted by two phones each."""
    return Report(notices=_make_notices(telling.people))


@activity.defn(name="floor_observe")
async def observe(document: str) -> tuple[Signed, ...]:
    """Signed by everyone."""
    signed_at = activity.info().scheduled_time
    return tuple(Signed(person=person, at=signed_at) for person in ("customer-signer", "chief-executive"))


@activity.defn(name="floor_keep")
async def keep(document: str) -> KeptFile:
    """Fetched and kept."""
    return KeptFile(document=File(sha256="5a" * 32, bytes=20_000), log=File(sha256="10" * 32, bytes=900))


@activity.defn(name="floor_hand_off")
async def hand_off(ending: Ending) -> Done:
    """Everyone told."""
    return Done(notices=_make_notices(ending.targets))


def _make_notices(people: tuple[str, ...]) -> tuple[FloorNotice, ...]:
    return tuple(FloorNotice(person=person, devices=("5f1c09ab37de", "c2708e41d96b")) for person in people)


PROMPT: Final = (plan, tell, hand_off)
"""What the workers of the workflows' queue offer."""
KEEPING: Final = (keep,)
"""What those that fetch files offer."""
CALLING: Final = (create, tell, observe)
"""What those that call Core Signature offer."""
