"""Commands: inputs of the updates that people send, and models of pauses, endings and problems."""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Final, Self

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
    LINK,
    PAUSE,
    REMIND,
    REPLAY,
    RESUME,
    RETRY,
    REVIEW,
    REVISE,
    SEND_LINK,
    SNOOZE,
    SUBSCRIBE,
    TAKE,
    TAKE_PLACE,
    UNBLOCK,
    UNSUBSCRIBE,
    WAIVE,
)

_WHY: Final = "Why; recorded in the timeline."
OURS: Final = ("actor", "by", "known_by", "ran_as", "op", "told", "decided", "content")
"""Fields of commands that whoever gives them does not fill."""
PERSONS: Final = ("actor", "signer", "person", "to")
"""Fields of commands that name a person."""


class KnownBy(StrEnum):
    """How it is known who sends a command or starts something."""

    SIGN_IN = "sign-in"
    """At the desk."""
    LINK = "link"
    """A link of their own."""
    OIDC = "oidc"
    """A bearer token of the company's issuer."""
    CLAIMED = "claimed"
    """Their own word, at a terminal."""
    TOKEN = "token"  # noqa: S105  the word, no secret
    """A program's token, as the next two in place of a person."""
    NEXUS = "nexus"
    HOOK = "hook"

    def actor(self, name: str, ran_as: str | None = None) -> str:
        """`sign-in:ada`, `claimed:ada (root@host)`; a program's name has the word already."""
        qualified_name = name if name.startswith(f"{self}:") else f"{self}:{name}"
        return f"{qualified_name} ({ran_as})" if ran_as and ran_as != name else qualified_name

    @classmethod
    def name_in(cls, actor: str) -> str:
        """The name in what `actor` gives; of a program with its word."""
        prefix, colon, name = actor.partition(":")
        return name.partition(" (")[0] if colon and prefix in (cls.SIGN_IN, cls.LINK, cls.OIDC, cls.CLAIMED) else actor


class AnyCommand(Model):
    """Base of all updates that people send. `ran_as` are user and host of a command line, where anybody can type any
    name.
    """

    known_by: KnownBy | None = None
    """None if one of our own workflows sends it."""
    ran_as: str | None = None

    @property
    @abstractmethod
    def sender(self) -> str: ...

    @property
    def attribution(self) -> str | None:
        """Sender, and how they are known: `sign-in:ada`."""
        return self.known_by.actor(self.sender, self.ran_as) if self.known_by else None


class Command(AnyCommand):
    """A command by `actor`; `op` is the id of the update, which makes a repetition harmless."""

    actor: str
    op: str | None = None

    @property
    def sender(self) -> str:
        return self.actor


class ParticipantCommand(AnyCommand):
    """A command of somebody whose turn it is, or `by` another in their place."""

    person: str = Field(description="Who was asked: an id of the directory.")
    by: str | None = None

    @property
    def sender(self) -> str:
        return self.by or self.person


class Cancellation(Command):
    """Update `cancel`: end the request, and why. `told` hear of it from the sender, who ends many at once."""

    reason: str = Field(description=_WHY)
    told: tuple[str, ...] = ()

    @property
    def of_the_run(self) -> str:
        """The text for cancelling the run itself, if no handler answers."""
        return self.replace(op=None).model_dump_json(exclude_defaults=True)

    @classmethod
    def read(cls, of_the_run: str) -> Self:
        """From `of_the_run`, or free text of the Web UI."""
        try:
            cancellation = cls.model_validate_json(of_the_run)
        except ValueError:
            cancellation = None
        if cancellation is None or not cancellation.actor or name_fault(cancellation.actor):
            return cls(actor="temporal", reason=cleaned(of_the_run))
        return cancellation.replace(reason=cleaned(cancellation.reason))


class ReminderCommand(Command):
    """Update `remind`: remind everyone whose turn it is; `force` even within the hour of the last reminder."""

    force: bool = Field(False, description="Also those who were notified within the hour.")


class Delegation(Command):
    """Update `delegate`: ask `to` instead of `signer`; `force` even if they are away."""

    signer: str = Field(
        description="Who hands over: an id of the directory, or the position in the file, such as `signer-2`."
    )
    to: str = Field(description="Who is asked instead: an id of the directory.")
    force: bool = Field(False, description="Even if they are away.")


class LinkHandover(Command):
    """Update `link`: a link by which `signer` signs once is handed over."""

    signer: str = Field(
        description="Who signs by it: an id of the directory, or the position in the file, such as `signer-2`."
    )


class Extension(Command):
    """Update `extend`: a new due date; a bare date is the end of the working day."""

    due: Annotated[AwareDatetime | date, Field(union_mode="left_to_right")]
    reason: str = ""
    person: str = ""
    """Of a campaign: the member who is meant, else everybody."""


class PauseCommand(Command):
    """Update `pause`: no notifications, stopped clocks, until `resume`."""

    reason: str = Field("", description=_WHY)


class Resumption(Command):
    """Update `resume`."""


class SnoozeCommand(ParticipantCommand):
    """Update `snooze`: remind a signer at `until` and not before."""

    until: AwareDatetime = Field(description="When they are reminded, with its offset.")


class Question(ParticipantCommand):
    """Update `ask`: a signer's question; the clocks stop until the answer."""

    text: str = Field(description="What they would like to know, at most 1,000 characters.")


class Answer(Command):
    """Update `answer`, by the requester."""

    text: str = Field(description="The answer, at most 1,000 characters.")


class Subscription(Command):
    """Update `subscribe`: signal another workflow at the end."""

    workflow: str


class Replay(Command):
    """Update `replay`: hand off to a target once more; `again` even if it succeeded before."""

    target: str = Field(description="The name of the target, as `show` prints it.")
    again: bool = Field(
        False,
        description="Also to a target that already got it; its key stays the same, so the target can recognise it.",
    )


class Unsubscription(Subscription):
    """Update `unsubscribe`: do not signal this workflow, even if the file names it."""


class TaskCompletion(Command):
    """Update `done`: the task is done, with a comment; `decided` the decision that it asked for was made."""

    note: str = Field("", description="A note for the timeline.")
    decided: bool = False


class Waiver(Command):
    """Update `waive`: the task is no longer needed."""

    reason: str = Field(description=_WHY)


class Block(ParticipantCommand):
    """Update `block`: an assignee cannot continue; the clocks stop until it is unblocked."""

    because: str = Field(description="What stands in the way, at most 1,000 characters.")


class Unblock(Answer):
    """Update `unblock`, with a comment."""

    text: str = Field("", description="A text for the person who could not continue, at most 1,000 characters.")


class PartOutcome(StrEnum):
    """An owner's decision about a failed part."""

    RESEND = "resend"
    REPLACE = "replace"
    WAIVE = "waive"
    STOP = "stop"

    @property
    def is_restart(self) -> bool:
        """Whether the part is started once more."""
        return self in (PartOutcome.RESEND, PartOutcome.REPLACE)


class Decision(Command):
    """Update `decide`: the owner's decision about a failed part of an onboarding.

    `content` is the reference of new content to start the part from, None for the old.
    """

    part: str
    choice: PartOutcome
    reason: str = ""
    content: str | None = None


class NewLink(Command):
    """Update `send_link`: send the actor's onboarding link again."""


class Exemption(Command):
    """Update `exempt`: a member need not acknowledge, or a reviewer need not review."""

    person: str = Field(description="A reviewer, by id; or a member, by the id of the report or their e-mail address.")
    reason: str = Field(description="Why; recorded in the timeline, of a campaign in the report.")


class Take(Command):
    """Update `take`: `person` of the group that asks sees to it, and hears of it instead of all."""

    person: str = Field(description="The member: an id of the directory.")


class PlaceTaking(ParticipantCommand):
    """Update `take_place`: `person` signs for their group, and nobody else of it."""


class Retry(Command):
    """Update `retry`: ask again the members who could not be asked, or one of them."""

    person: str = ""


class ReviewAnswer(Command):
    """Update `review`: a reviewer approves the document, or asks for these `changes`. `person` is the reviewer, by
    default the actor; `version` the number of the one that they read, 0 if that is unknown.
    """

    changes: str = ""
    approve: bool = False
    person: str = ""
    version: int = Field(0, ge=0, le=1_000)

    @property
    def reviewer(self) -> str:
        return self.person or self.actor


class Revision(Command):
    """Update `revise`: a new version, whose bytes are in the store; `changes` says what is different in it."""

    sha256: str
    size: int
    file_name: str
    changes: str = ""


UPDATES: Final[Mapping[type[AnyCommand], str]] = {
    Cancellation: CANCEL,
    ReminderCommand: REMIND,
    Delegation: DELEGATE,
    LinkHandover: LINK,
    Extension: EXTEND,
    PauseCommand: PAUSE,
    Resumption: RESUME,
    SnoozeCommand: SNOOZE,
    Question: ASK,
    Answer: ANSWER,
    Subscription: SUBSCRIBE,
    Unsubscription: UNSUBSCRIBE,
    Replay: REPLAY,
    TaskCompletion: DONE,
    Waiver: WAIVE,
    Block: BLOCK,
    Unblock: UNBLOCK,
    Decision: DECIDE,
    NewLink: SEND_LINK,
    Exemption: EXEMPT,
    Retry: RETRY,
    ReviewAnswer: REVIEW,
    Revision: REVISE,
    Take: TAKE,
    PlaceTaking: TAKE_PLACE,
}
"""The update that takes each."""
COMMANDS: Final[Mapping[str, type[AnyCommand]]] = {word: command for command, word in UPDATES.items()}


class StopKind(StrEnum):
    """Why the clocks are stopped."""

    PROBLEM = "problem"
    PAUSE = "pause"
    QUESTION = "question"


class Stop(Model):
    """A reason why the clocks are stopped."""

    kind: StopKind
    since: AwareDatetime
    who: str
    says: str = ""

    @property
    def description(self) -> str:
        if self.kind is StopKind.QUESTION:
            return f"a question of {self.who} waits for an answer"
        return f"paused by {self.who}" + (f": {self.says}" if self.says else "")


class Ending(Model):
    """The ending that we ask for; the provider's answer decides."""

    outcome: Status
    who: str
    why: str
    told: tuple[str, ...] = ()
    """Who hears of it otherwise: of them only the phones lose what they show."""


class Problem(Model):
    """A problem that needs a person. The clocks stop, unless only the people file is in doubt."""

    code: Code
    since: AwareDatetime
    says: str
