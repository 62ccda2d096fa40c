"""Views: the answers of the `show` queries for each kind (outside contract)."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Self, TypeVar

from pydantic import AwareDatetime, SerializeAsAny, ValidatorFunctionWrapHandler, WrapValidator, computed_field

from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.campaign import Campaign, Counts, FrozenAudience, last_day_before
from workflows.model.commands import Problem
from workflows.model.evidence import KeptFile, KeptFiles
from workflows.model.hand_off import HandoffLine
from workflows.model.notifications import Notification
from workflows.model.signature import DocumentVersion, SignerState
from workflows.model.subject import Identity, Role, Status, ToDecide, Verify
from workflows.model.timeline import AskedQuestion, EscalationEntry, TimelineEntry

_VIEWS: Final[dict[Kind, type["FollowUpShow"]]] = {}


class SignerLine(Model):
    """A signer in a view."""

    person: str
    order: int
    role: Role
    state: SignerState
    at: AwareDatetime | None = None
    late: bool = False
    """They signed after the due date."""
    reason: str | None = None
    """Why they declined, in their own words."""
    verify: Verify | None = None
    """How Core Signature verifies them."""
    team: str = ""
    """The group for which they sign or review: of it one suffices."""
    taken_at: AwareDatetime | None = None
    """When they took the place of their group."""


class ReviewLine(SignerLine):
    """A reviewer in one round of a view, or the requester who is to give a new version; `reason` is what is to be
    changed, in their own words.
    """

    round: int


class Choices(Model):
    """Further actions on a pending person's page."""

    person: str
    snoozes_left: int
    snooze_until: AwareDatetime | None
    """The latest instant they may ask to be reminded at."""
    hand_over: bool
    ask: bool
    reminded_at: AwareDatetime | None = None
    """When they asked to be reminded, if that is still to come."""


class GivenAnswer(Model):
    """A task's text field, and its answer once done."""

    label: str
    required: bool = True
    lines: int = 1
    text: str | None = None


class AssigneeLine(Model):
    """An assignee in a view: all are asked at once."""

    order: ClassVar[int] = 1
    role: ClassVar[Role] = Role.DO
    person: str
    state: str
    at: AwareDatetime | None = None


class TurnLine(Model):
    """For whom a part waited from `since`: directory ids, capped."""

    people: tuple[str, ...]
    since: AwareDatetime


class PartLine(Model):
    """A part in a view: `workflow` runs it, `decision` is its decision task. `told`: the customer hears of it.
    `content` references its start content. `members` are the ids of `team`. `turns` are for whom it waited, latest
    last.
    """

    id: str
    title: str
    state: str
    kind: str = ""
    status: Status | None = None
    team: str | None = None
    members: tuple[str, ...] = ()
    told: bool = False
    workflow: str | None = None
    decision: str | None = None
    since: AwareDatetime | None = None
    at: AwareDatetime | None = None
    due_at: AwareDatetime | None = None
    says: str = ""
    content: str | None = None
    turns: tuple[TurnLine, ...] = ()

    def called(self, person: str) -> str:
        """The file's word for a team or the customer, else the person."""
        return self.team if self.team and person in self.members else person


class NoticeLine(Model):
    """A stage's news: recipient (the file's word), and when sent."""

    id: str
    to: str
    title: str
    state: str
    at: AwareDatetime | None = None


class StageLine(Model):
    """`coming`, `open`, `done`, or `stopped` by the onboarding's end."""

    name: str
    state: str
    since: AwareDatetime | None = None
    at: AwareDatetime | None = None
    agreements: tuple[PartLine, ...] = ()
    tasks: tuple[PartLine, ...] = ()
    steps: tuple[PartLine, ...] = ()
    notices: tuple[NoticeLine, ...] = ()

    @property
    def parts(self) -> tuple[PartLine, ...]:
        """Signature requests and tasks."""
        return self.agreements + self.tasks + self.steps


class AttentionCode(StrEnum):
    """Why a person should look, most pressing first."""

    DECISION = "decision"
    MAIL_BOUNCED = "mail_bounced"
    SIGNER_LEFT = "signer_left"
    QUESTION_OPEN = "question_open"
    BLOCKED = "blocked"
    PUSH_MISMATCH = "push_mismatch"
    PAUSED = "paused"
    NOT_ASKED = "not_asked"
    HANDOFF_DEAD = "handoff_dead"


class Attention(Model):
    """One reason for attention, since when, in words; `proposed` are who could act."""

    code: AttentionCode
    since: AwareDatetime
    says: str
    proposed: tuple[str, ...] = ()


class WaitingFor(Model):
    """A pending person, and since when."""

    person: str
    since: AwareDatetime


class NextStep(StrEnum):
    """The type of the next action."""

    REMIND = "remind"
    WARN = "warn"
    ESCALATE = "escalate"
    QUESTION = "question"
    """Remind the person who is to answer a question."""
    HELD = "held"
    """Somebody hears what was held back because they have heard enough for now."""
    END = "end"
    """It ends by a command."""
    EXPIRE = "expire"
    HAND_OFF = "hand-off"
    WAIT = "wait"


class NextAction(Model):
    """What happens next, and why; `at` is None for an open wait, `to` a recipient who is no signer."""

    what: NextStep
    at: AwareDatetime | None
    why: str
    to: str | None = None


def view_of(kind: Kind) -> type["FollowUpShow"]:
    """The view of a kind."""
    return _VIEWS[kind]


class FollowUpShow(Model):
    """Fields common to the views of all kinds. The view of a kind names it by `of`, which registers it; what it has
    more than others it answers by the properties below.
    """

    of: ClassVar[Kind]
    id: str
    kind: str
    requester: str = ""
    """A person, or a group as `group:<name>`."""
    notify_all: bool = False
    taken_by: str | None = None
    """Who of the group sees to it."""
    status: Status
    problem: Problem | None = None
    attention: tuple[Attention, ...] = ()
    """What needs somebody although nothing is broken, the most pressing first."""
    waiting_for: tuple[WaitingFor, ...] = ()
    next: NextAction | None = None
    due_at: AwareDatetime | None = None
    closes_at: AwareDatetime | None = None
    late: bool = False
    """Somebody acted after the due date, or it has passed and somebody still has to."""
    notifications: tuple[Notification, ...] = ()
    earlier: int = 0
    """How many older notifications there are beside these: `show --all` has them from the store."""
    escalations: tuple[EscalationEntry, ...] = ()
    handoffs: tuple[HandoffLine, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    question: AskedQuestion | None = None
    """The one that waits for an answer."""
    answered: tuple[AskedQuestion, ...] = ()
    choices: tuple[Choices, ...] = ()
    says: str = ""
    trouble: str | None = None
    """What the workflow cannot say of itself: `terminated`, `failed`, `timed out` or `paused` in Temporal."""
    partial: bool = False

    def shares_place(self, person: str) -> bool:
        """Whether they are of a group of which any one signs."""
        return False

    @property
    def has_pages(self) -> bool:
        """Whether the store may have entries that this lacks."""
        return bool(self.earlier)

    @property
    def overdue(self) -> bool:
        return self.late and not self.status.has_ended

    if TYPE_CHECKING:  # A field of most kinds, which a property of this class would hide.

        @property
        def title(self) -> str: ...

    @property
    def answers(self) -> str:
        """Who is to answer and decide: the requester, or who of the group has taken it on."""
        return self.taken_by if self.taken_by and not self.notify_all else self.requester

    @property
    def lines(self) -> "tuple[SignerLine | AssigneeLine, ...]":
        """Who was asked; empty where only its parts ask people."""
        return ()

    @property
    def reasons(self) -> Mapping[str, str]:
        """Why people declined, by person, each the reference of their words."""
        return {}

    def with_files(self, files: KeptFiles, missing: Problem | None) -> Self:
        """With the provider's files that are kept by now, and why something is missing, if it has such files."""
        return self

    @property
    def kept_files(self) -> KeptFiles:
        """Those files, as far as they are kept."""
        return KeptFiles()

    @property
    def member_counts(self) -> Counts:
        """How the members of an audience stand, as of its last count; all zero without one."""
        return Counts()

    @property
    def asked_people(self) -> tuple[str, ...]:
        """Who has to act or has acted."""
        return tuple(line.person for line in self.lines)

    @property
    def asked_alone(self) -> bool:
        """Whether one signer alone was asked."""
        return False

    @property
    def unapproved(self) -> bool:
        """Whether its review is not over, or never was."""
        return False

    @property
    def reviewed_versions(self) -> "tuple[DocumentVersion, ...]":
        """Of a document that is or was reviewed."""
        return ()

    @property
    def all_reviews(self) -> "tuple[ReviewLine, ...]":
        """Of those versions."""
        return ()

    @property
    def to_be_revised(self) -> bool:
        """Whether its reviewers wait for a new version."""
        return False

    @property
    def read_by(self) -> tuple[str, ...]:
        """People and groups who may look at it from its start on."""
        return ()

    @property
    def in_stages(self) -> "tuple[StageLine, ...]":
        """Its stages, if it has any."""
        return ()

    @property
    def parts(self) -> "tuple[PartLine, ...]":
        """The parts of its stages."""
        return tuple(part for stage in self.in_stages for part in stage.parts)

    @property
    def at_stage(self) -> tuple[int, int, str] | None:
        """The number of its stage from 1, how many there are, and the stage's name; None without stages."""
        return None

    @property
    def previewed(self) -> str:
        """Whose page of it may be previewed."""
        return ""

    @property
    def asked_group(self) -> str:
        """The group for which it waits instead of its people."""
        return ""

    @property
    def instructions(self) -> str:
        """What is to be done, in the owner's words."""
        return ""

    @property
    def to_be_decided(self) -> ToDecide | None:
        """The part of an onboarding about which it asks."""
        return None

    @property
    def given_answer(self) -> GivenAnswer | None:
        """The text field that is to be filled in, if any."""
        return None

    @property
    def ended_by(self) -> str | None:
        """Who said that it is done."""
        return None

    @property
    def delegates(self) -> tuple[str, ...]:
        """The only people to whom it may be delegated, if any are named."""
        return ()

    @property
    def people_in_file(self) -> tuple[str, ...]:
        """Whom its file names, in its order: who was asked instead of somebody comes right behind them, and counts
        not.
        """
        return _without_successors(self.lines)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        if "of" in cls.__dict__:
            _VIEWS[cls.of] = cls

    @computed_field  # type: ignore[prop-decorator]
    @property
    def type(self) -> Kind:
        """The kind, by which the view is read again."""
        return self.of

    @classmethod
    def outside(cls, facts: "FollowUpShow", title: str, stage: str, started_at: datetime) -> Self:
        """The view from what is known without the workflow: `stage` of the search attributes."""
        return cls.model_validate({**dict(facts), "title": title})

    @property
    def questions(self) -> tuple[AskedQuestion, ...]:
        return self.answered + ((self.question,) if self.question else ())


def _without_successors(lines: "tuple[SignerLine | AssigneeLine, ...]") -> tuple[str, ...]:
    replaced = (False, *(line.state == SignerState.REASSIGNED for line in lines))
    return tuple(line.person for line, instead in zip(lines, replaced, strict=False) if not instead)


class RequestShow(FollowUpShow):
    """The answer of `request show`."""

    of: ClassVar[Kind] = Kind.REQUEST
    document: str = ""
    signers: tuple[SignerLine, ...] = ()
    signed_document: KeptFile | None = None
    """The signed or declined document, once it is kept, and the provider's log of it."""
    signing_log: KeptFile | None = None
    versions: tuple[DocumentVersion, ...] = ()
    """Of a request with reviewers, one for each round of review."""
    reviews: tuple[ReviewLine, ...] = ()
    """What reviewers did in each round."""
    identity: Identity = Identity.LINK
    """What the page asks of signers beside their link."""

    @property
    def has_pages(self) -> bool:
        return super().has_pages or self.identity is not Identity.LINK

    def with_files(self, files: KeptFiles, missing: Problem | None) -> Self:
        view = self.replace(signed_document=files.document, signing_log=files.signing_log)
        if missing is None:
            return view
        return view.replace(problem=self.problem or missing, says=f"{self.says}; not kept yet: {missing.says}")

    @property
    def kept_files(self) -> KeptFiles:
        return KeptFiles(document=self.signed_document, signing_log=self.signing_log)

    @property
    def title(self) -> str:
        """The document's name."""
        return self.document

    @property
    def asked_alone(self) -> bool:
        open_signers = [
            signer
            for signer in self.signers
            if signer.role is not Role.COPY and signer.state not in (SignerState.REASSIGNED, SignerState.SPARED)
        ]
        return len(open_signers) == 1

    @property
    def reasons(self) -> Mapping[str, str]:
        return {line.person: line.reason for line in self.signers if line.reason}

    def shares_place(self, person: str) -> bool:
        return any(line.team for line in self.signers if line.person == person)

    def signer_for(self, team: str) -> SignerLine | None:
        """Who signs for this group, or has; None while anyone of it may."""
        taken = (SignerState.REASSIGNED, SignerState.SPARED)
        lines = [line for line in self.signers if line.team == team and line.state not in taken]
        return next((line for line in lines if len(lines) == 1 or line.taken_at), None)

    @classmethod
    def outside(cls, facts: FollowUpShow, title: str, stage: str, started_at: datetime) -> Self:
        return cls(**dict(facts), document=title)

    @property
    def lines(self) -> tuple[SignerLine, ...]:
        """Under review its reviewers."""
        return self.present_reviews if self.status is Status.REVIEW else self.signers

    @property
    def unapproved(self) -> bool:
        settled_states = (SignerState.APPROVED, SignerState.SPARED, SignerState.EXEMPT, SignerState.REASSIGNED)
        return any(review.state not in settled_states for review in self.present_reviews)

    @property
    def reviewed_versions(self) -> tuple[DocumentVersion, ...]:
        return self.versions

    @property
    def all_reviews(self) -> tuple[ReviewLine, ...]:
        return self.reviews

    @property
    def to_be_revised(self) -> bool:
        turns = (review for review in self.present_reviews if review.state is SignerState.TURN)
        return not self.status.has_ended and any(turn.role is Role.REVISE for turn in turns)

    @property
    def present_reviews(self) -> tuple[ReviewLine, ...]:
        """Of the last round."""
        return tuple(review for review in self.reviews if review.round == len(self.versions))

    @property
    def asked_people(self) -> tuple[str, ...]:
        """Reviewers as well."""
        handed_over = SignerState.REASSIGNED
        people = (
            participant.person for participant in (*self.signers, *self.reviews) if participant.state is not handed_over
        )
        return tuple(dict.fromkeys(people))

    @property
    def people_in_file(self) -> tuple[str, ...]:
        """Of a group whoever signs for it, else its first."""
        persons = _without_successors(self.signers)
        person_by_place: dict[str, str] = {}
        for line in self.signers:
            place = line.team or line.person
            if line.person in persons and (place not in person_by_place or line.state is not SignerState.SPARED):
                person_by_place.setdefault(place, line.person)
        return tuple(person_by_place.values())


class TaskShow(FollowUpShow):
    """The answer of `task show`."""

    of: ClassVar[Kind] = Kind.TASK
    title: str
    text: str = ""
    people: tuple[AssigneeLine, ...] = ()
    colleagues: tuple[str, ...] = ()
    """The only people to whom an assignee may delegate, if any are named."""
    group: str = ""
    """The group whose people are asked, if one is."""
    done_by: str | None = None
    decides: ToDecide | None = None
    """What it asks to decide, if it asks that."""
    answer: GivenAnswer | None = None
    """What is to be answered, and was."""

    @property
    def asked_group(self) -> str:
        return self.group

    @property
    def instructions(self) -> str:
        return self.text

    @property
    def to_be_decided(self) -> ToDecide | None:
        return self.decides

    @property
    def given_answer(self) -> GivenAnswer | None:
        return self.answer

    @property
    def ended_by(self) -> str | None:
        return self.done_by

    @property
    def delegates(self) -> tuple[str, ...]:
        return self.colleagues

    @property
    def people_in_file(self) -> tuple[str, ...]:
        return (*super().people_in_file, *self.colleagues)

    @property
    def lines(self) -> tuple[AssigneeLine, ...]:
        return self.people


class PartTurn(Model):
    """Signal `part_turn`: for whom the part waits from `at` on, capped. `asks` is who has to answer a question
    first.
    """

    id: str
    at: AwareDatetime
    waiting_for: tuple[WaitingFor, ...] = ()
    asks: WaitingFor | None = None

    def is_as(self, turn: "PartTurn") -> bool:
        return (self.waiting_for, self.asks) == (turn.waiting_for, turn.asks)


class WaitingPart(WaitingFor):
    """As the file calls them, and for what."""

    who: str
    what: str
    part: str


class OnboardingShow(FollowUpShow):
    """The answer of `onboard show`."""

    of: ClassVar[Kind] = Kind.ONBOARDING
    title: str
    customer: str = ""
    colleagues: tuple[str, ...] = ()
    """Others of the customer, who may have a page of their own."""
    stage: str = ""
    stages: tuple[StageLine, ...] = ()
    waiting_for: tuple[WaitingPart, ...] = ()
    teams: tuple[str, ...] = ()
    """Of its file: people, and groups as `group:<name>`."""

    @property
    def read_by(self) -> tuple[str, ...]:
        return self.teams

    @property
    def asked_people(self) -> tuple[str, ...]:
        return tuple(person.person for person in self.waiting_for)

    @property
    def previewed(self) -> str:
        return self.customer

    @property
    def in_stages(self) -> tuple[StageLine, ...]:
        return self.stages

    @property
    def at_stage(self) -> tuple[int, int, str] | None:
        names = [stage.name for stage in self.stages]
        return (names.index(self.stage) + 1, len(names), self.stage) if self.stage in names else None

    @property
    def people_in_file(self) -> tuple[str, ...]:
        return (self.customer, *self.colleagues)

    @classmethod
    def outside(cls, facts: FollowUpShow, title: str, stage: str, started_at: datetime) -> Self:
        return cls(**dict(facts), title=title, stage=stage)


class CampaignShow(FollowUpShow):
    """The answer of `campaign show`; `counts` are as of `counted_at`, None before the audience is frozen.

    `asked` counts the members processed at the opening, `changes_asked` is the number of the last processed change,
    `errors` counts rows that cannot be asked. `campaign` and `fingerprint` locate its records.
    """

    of: ClassVar[Kind] = Kind.CAMPAIGN
    title: str
    campaign: Campaign | None = None
    fingerprint: str = ""
    version: str = ""
    effective: date | None = None
    approver: str | None = None
    opens_at: AwareDatetime
    due: date
    frozen: FrozenAudience | None = None
    changes: int = 0
    changed: str | None = None
    """SHA-256 of the last change of the audience, which names the one before it."""
    asked: int = 0
    changes_asked: int = 0
    counts: Counts = Counts()
    counted_at: AwareDatetime | None = None
    errors: int = 0
    outcomes: str | None = None
    came: int = 0
    left: int = 0
    people_now: int | None = None

    @property
    def member_counts(self) -> Counts:
        return self.counts

    @property
    def last_day(self) -> date:
        """The last day to acknowledge, including grace, in any time zone."""
        return last_day_before(self.closes_at) if self.closes_at else self.due

    @classmethod
    def outside(cls, facts: FollowUpShow, title: str, stage: str, started_at: datetime) -> Self:
        return cls(**dict(facts), title=title, opens_at=started_at, due=started_at.date())


AnyShow = TypeVar("AnyShow", bound=FollowUpShow)


def _by_type(content: Any, plain: ValidatorFunctionWrapHandler) -> FollowUpShow:
    """A view as the model of its kind."""
    if isinstance(content, dict):
        return view_of(Kind(content.get("type", ""))).model_validate(content)
    view: FollowUpShow = plain(content)
    return view


Shown = Annotated[SerializeAsAny[FollowUpShow], WrapValidator(_by_type)]
"""What `show` says of any of them; read by its `type`."""
