"""Core Signature drops a second mail of a document within ten minutes: what would be dropped is put off."""

from datetime import timedelta

from activities.notifications.signer_mail import MailedRecently
from tests.workflows.fakes import FakePushService, World
from tests.workflows.stage import Story, start_story
from workflows.model.commands import UPDATES, ReminderCommand
from workflows.model.notifications import MAILS_APART, Channel, Delivery, DeliveryReport, Notification
from workflows.model.receipts import OperationState, Receipt
from workflows.model.schedule import Reason
from workflows.signature.workflow import SignatureRequestWorkflow

REMIND_NOW = ReminderCommand(actor="legal-desk", force=True)
FIRST, SECOND = "reminder-manual-1", "reminder-manual-2"
HALF: float = MAILS_APART / timedelta(days=1) / 2


class MailOfCoreSignature(FakePushService):
    """No phone: whatever asks signers again is a mail of Core Signature."""

    async def deliver(self, delivery: Delivery) -> DeliveryReport:
        if not delivery.document:
            return await super().deliver(delivery)
        assert delivery.now
        if delivery.mailed_at and delivery.now < delivery.mailed_at + MAILS_APART:
            recent = MailedRecently(delivery.now, delivery.mailed_at + MAILS_APART)
            return DeliveryReport(held=tuple(map(recent.hold_back, delivery.notices)))
        return (await super().deliver(delivery)).replace(mailed=True)


async def test_a_reminder_shortly_after_a_mail_is_put_off_logged_and_sent_once() -> None:
    world = World()
    world.push = MailOfCoreSignature(world.signatures, by_mail=[FIRST, SECOND])
    async with start_story(world) as story:
        assert (await story.send_command(REMIND_NOW)).state is OperationState.DONE
        await story.days_pass(HALF)
        await story.handle.execute_update(UPDATES[ReminderCommand], REMIND_NOW, id="again", result_type=Receipt)
        await story.days_pass(HALF / 2)
        line = await line_of(story, SECOND)
        assert (line.channel, line.outcome, line.why) == (Channel.MAIL, "suppressed", Reason.MAILED_RECENTLY)
        assert sent_stages(world) == [FIRST]
        await story.days_pass(HALF)
        assert (await line_of(story, SECOND)).outcome == "accepted"
        receipt = await story.handle.query(SignatureRequestWorkflow.operation, "again")
    assert receipt and receipt.state is OperationState.DONE
    assert sent_stages(world) == [FIRST, SECOND]


async def line_of(story: Story, stage: str) -> Notification:
    [line] = [line for line in (await story.read_view()).notifications if line.stage == stage]
    return line


def sent_stages(world: World) -> list[str]:
    return [stage for stage, _ in world.push.stages() if stage in (FIRST, SECOND)]
