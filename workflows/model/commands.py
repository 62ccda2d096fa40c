"""What people want of a living request, and what stands in its way."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Final, Self, TypeAlias

from pydantic import AwareDatetime, Field

from workflows.model.base import Model
from workflows.model.rejections import cleaned, name_fault
from workflows.model.subject import Code, Status
from workflows.names import (
    ANSWER,
    ASK,
    BLOCK,
    CANCEL,
    DECIDE,
    DELEGATE,
    DONE,
    EXEMPT,
    EXTEND,
    PAUSE,
    REMIND,
    REPLAY,
    RESUME,
    RETRY,
    SEND_LINK,
    SNOOZE,
    SUBSCRIBE,
    UNBLOCK,
    UNSUBSCRIBE,
    WAIVE,
)

INSIST: Final = ": insist with --force"
"""Behind a refusal, what the command has for it; a page has a box, or nothing."""


class Command(Model):
    """Who wants something; `op` makes a repetition harmless (it is the id of the update)."""

    actor: str
    op: str | None = None


class Cancellation(Command):
    """Update `cancel`: end the request, and why; `told` hear of it from whoever ends many at once."""

    reason: str
    told: tuple[str, ...] = ()

    @property
    def of_the_run(self) -> str:
        """What the run itself is cancelled with, where nobody answers to the update."""
        return self.replace(op=None).model_dump_json(exclude_none=True)

    @classmethod
    def read(cls, of_the_run: str) -> Self:
        """What the run was cancelled with: `of_the_run`, or whatever somebody wrote in the Web UI."""
        try:
            known = cls.model_validate_json(of_the_run)
        except ValueError:
            known = None
        if known is None or not known.actor or name_fault(known.actor):
            return cls(actor="temporal", reason=cleaned(of_the_run))
        return known.replace(reason=cleaned(known.reason))


class ReminderNow(Command):
    """Update `remind`: tell everyone whose turn it is now; `force` even if they were told within the hour."""

    force: bool = False


class Delegation(Command):
    """Update `delegate`: ask `to` instead of `signer`; `force` even if they are away."""

    signer: str
    to: str
    force: bool = False


class Extension(Command):
    """Update `extend`: a new due date; a bare date is the end of the working day, as in the request file."""

    due: Annotated[AwareDatetime | date, Field(union_mode="left_to_right")]
    reason: str = ""


class PauseCommand(Command):
    """Update `pause`: nobody is told anything and the clocks stand until `resume`."""

    reason: str = ""


class Resumption(Command):
    """Update `resume`: the clocks go on."""


class NotNow(Model):
    """Update `snooze`: a signer wants to be reminded at `until` and not before."""

    person: str
    until: AwareDatetime


class Question(Model):
    """Update `ask`: a signer asks the requester; the clocks stand until it is answered."""

    person: str
    text: str


class Answer(Command):
    """Update `answer`: what the requester answers."""

    text: str


class Subscription(Command):
    """Update `subscribe`: tell another workflow too how it ended, by the same signal as those that the file names."""

    workflow: str


class Replay(Command):
    """Update `replay`: hand off to a target once more; `again` even if it was told."""

    target: str
    again: bool = False


class Unsubscription(Subscription):
    """Update `unsubscribe`: do not tell it after all, also if the file names it."""


class Done(Command):
    """Update `done`: the task is done, and what there is to say about it; `decided` that what it asked to decide is."""

    note: str = ""
    decided: bool = False


class Waiver(Command):
    """Update `waive`: nobody needs to do the task any more, and why."""

    reason: str


class Block(Model):
    """Update `block`: somebody who was asked cannot go on; the clocks stand until the owner has cleared the way."""

    person: str
    because: str


class Unblock(Answer):
    """Update `unblock`: what stood in the way is gone, and what there is to say about it."""


class PartOutcome(StrEnum):
    """What becomes of a part that has ended otherwise than it should."""

    RESEND = "resend"
    REPLACE = "replace"
    WAIVE = "waive"
    STOP = "stop"

    @property
    def again(self) -> bool:
        """Whether the part is started once more."""
        return self in (PartOutcome.RESEND, PartOutcome.REPLACE)


class Decision(Command):
    """Update `decide`: the owner's word on a part of an onboarding that ended otherwise than it should.

    `content` is the reference of what the part is started from instead; None for what it was started from before.
    """

    part: str
    choice: PartOutcome
    reason: str = ""
    content: str | None = None


class NewLink(Command):
    """Update `send_link`: send whoever wishes it the link to their page of an onboarding once more."""


class Exemption(Command):
    """Update `exempt`: somebody of a campaign's audience need not acknowledge, and why."""

    person: str
    reason: str


class Retry(Command):
    """Update `retry`: ask those of a campaign once more who could not be asked."""


AnyCommand: TypeAlias = Command | NotNow | Question | Block
UPDATES: Final[Mapping[type[AnyCommand], str]] = {
    Cancellation: CANCEL,
    ReminderNow: REMIND,
    Delegation: DELEGATE,
    Extension: EXTEND,
    PauseCommand: PAUSE,
    Resumption: RESUME,
    NotNow: SNOOZE,
    Question: ASK,
    Answer: ANSWER,
    Subscription: SUBSCRIBE,
    Unsubscription: UNSUBSCRIBE,
    Replay: REPLAY,
    Done: DONE,
    Waiver: WAIVE,
    Block: BLOCK,
    Unblock: UNBLOCK,
    Decision: DECIDE,
    NewLink: SEND_LINK,
    Exemption: EXEMPT,
    Retry: RETRY,
}
"""The update that takes each."""


class StopKind(StrEnum):
    """Why the clocks stand."""

    PROBLEM = "problem"
    PAUSE = "pause"
    QUESTION = "question"


class Stop(Model):
    """One reason for which the clocks stand, since when, by whom."""

    kind: StopKind
    since: AwareDatetime
    who: str
    says: str = ""

    @property
    def words(self) -> str:
        """Why the clocks stand, as people read it."""
        if self.kind is StopKind.QUESTION:
            return f"a question of {self.who} waits for an answer"
        return f"paused by {self.who}" + (f": {self.says}" if self.says else "")


class Ending(Model):
    """How we mean to end the request ourselves; the provider's word still wins."""

    outcome: Status
    who: str
    why: str
    told: tuple[str, ...] = ()
    """Who hears of it otherwise: of them only the phones lose what they show."""


class Problem(Model):
    """What is wrong and needs a person. The clocks stand meanwhile, unless only the people file is in doubt."""

    code: Code
    since: AwareDatetime
    says: str
