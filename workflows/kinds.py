"""The kinds of workflow, each with its one description. A further kind is registered here or by its own module."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, NamedTuple

from pydantic import AfterValidator, GetCoreSchemaHandler

from workflows.names import (
    ACKNOWLEDGEMENT_CAMPAIGN,
    ANSWER,
    ASK,
    BLOCK,
    CAMPAIGN,
    CAMPAIGN_SETTLED,
    CANCEL,
    CUSTOMER_ONBOARDING,
    DECIDE,
    DELEGATE,
    DONE,
    EXEMPT,
    EXTEND,
    LINK,
    ONBOARDING_SETTLED,
    PAUSE,
    REMIND,
    REPLAY,
    REQUEST_PREFIX,
    RESUME,
    RETRY,
    REVIEW,
    REVISE,
    SIGNATURE_REQUEST,
    SIGNATURE_SETTLED,
    SNOOZE,
    TAKE,
    TASK,
    TASK_SETTLED,
    UNBLOCK,
    WAIVE,
)


class Kind(str):
    """A kind of workflow, by the word that people use for it. `Kind(word)` is the registered one, else a ValueError."""

    spec: "KindSpec"
    REQUEST: ClassVar["Kind"]
    TASK: ClassVar["Kind"]
    ONBOARDING: ClassVar["Kind"]
    CAMPAIGN: ClassVar["Kind"]

    def __new__(cls, kind_name: str) -> "Kind":
        if kind_name not in _KINDS:
            raise ValueError(f"{kind_name} is no kind: there are {', '.join(_KINDS)}")
        return _KINDS[kind_name]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return handler.generate_schema(Annotated[str, AfterValidator(cls)])

    @property
    def with_article(self) -> str:
        return f"{'an' if self[0] in 'aeio' else 'a'} {self}"

    def workflow_id(self, id: str) -> str:
        """The workflow id for the kind's own id; fixed, so that a second start finds the first."""
        return f"{self.spec.prefix}:{id}"


_KINDS: Final[dict[str, Kind]] = {}


def kinds() -> tuple[Kind, ...]:
    """All kinds, in the order of their registration."""
    return tuple(_KINDS.values())


class PagesFor(StrEnum):
    """Who has a page of their own behind a link, instead of the desk."""

    ALL = "all"
    """Everybody, but on-call and who only follows it."""
    PEOPLE = "people"
    """The people of the subject."""
    NOBODY = "nobody"


@dataclass(frozen=True, kw_only=True)
class KindSpec:
    """The description of a kind: all that differs and is plain data. What needs code is registered by its floor
    (CONTRIBUTING.md, "A further kind").
    """

    workflow: str
    """The workflow type."""
    prefix: str
    """What stands before the colon in its workflow id."""
    settled: str
    """The signal of its end."""
    event: str
    """The event type of its end."""
    page: str
    """The path of its links."""
    desk: str
    """The path of its page at the desk."""
    stage: str
    """The first `CsStage`."""
    command: str
    """The first word of its commands."""
    marks: tuple[str, ...]
    """The fields that only its files have."""
    commands: tuple[str, ...]
    """What people may do while it is open (`workflows/command_words.py`), as the desk shows it."""
    again_label: str
    """What `start --again` does with a terminated one."""
    begins: str = "open"
    """The first status."""
    link: str = "view"
    """What the page of a person is for (`LinkUse`)."""
    pages: PagesFor = PagesFor.ALL
    renews_links: bool = False
    """Whether its links can be made anew, which ends those made before."""
    has_parts: bool = False
    """Whether it works by other workflows, which ask the people."""
    document: bool = False
    """Whether it is about a document at Core Signature."""
    bare_reference: bool = False
    """Whether outside systems know it by its own id, not by its workflow id."""
    every_ending: bool = False
    """Whether targets hear of every ending by default, not only of success."""
    due_everywhere: bool = False
    """Whether its due date is the end of a day everywhere on earth."""
    bulk: bool = False
    """Whether it and its parts come last, in a queue of their own."""

    @property
    def escalated_event(self) -> str:
        """Event type of an escalation."""
        return f"{self._noun}.escalated"

    @property
    def escalated(self) -> str:
        """Signal of an escalation."""
        return f"{self._noun}_escalated"

    @property
    def _noun(self) -> str:
        return self.event.partition(".")[0]


def register(kind_name: str, spec: KindSpec) -> Kind:
    """The kind of this word; ValueError for a word, an id prefix or a desk path that another kind has."""
    for other_kind in kinds():
        if kind_name == other_kind or spec.prefix == other_kind.spec.prefix or spec.desk == other_kind.spec.desk:
            raise ValueError(
                f"{kind_name} cannot be told from {other_kind}: word, prefix and desk path must be its own"
            )
    kind = str.__new__(Kind, kind_name)
    kind.spec = spec
    return _KINDS.setdefault(kind_name, kind)


_FOLLOWED_UP: Final = (TAKE, RESUME, REMIND, EXTEND, DELEGATE, PAUSE, ASK, SNOOZE)
Kind.REQUEST = register(
    "request",
    KindSpec(
        workflow=SIGNATURE_REQUEST,
        prefix=REQUEST_PREFIX,
        settled=SIGNATURE_SETTLED,
        event="signature.settled",
        page="open",
        desk="requests",
        stage="sending",
        command="request",
        marks=("signers", "requester"),
        commands=(REVISE, REVIEW, ANSWER, *_FOLLOWED_UP, LINK, EXEMPT, REPLAY, CANCEL),
        again_label="take its living document up again",
        begins="converting",
        link="sign",
        document=True,
        bare_reference=True,
    ),
)
Kind.TASK = register(
    "task",
    KindSpec(
        workflow=TASK,
        prefix="task",
        settled=TASK_SETTLED,
        event="task.settled",
        page="task",
        desk="tasks",
        stage="open",
        command="task",
        marks=("who", "title"),
        commands=(DONE, BLOCK, ANSWER, UNBLOCK, *_FOLLOWED_UP, WAIVE, REPLAY, CANCEL),
        again_label="ask everybody anew",
        link="do",
    ),
)
Kind.ONBOARDING = register(
    "onboarding",
    KindSpec(
        workflow=CUSTOMER_ONBOARDING,
        prefix="customer-onboarding",
        settled=ONBOARDING_SETTLED,
        event="onboarding.completed",
        page="journey",
        desk="onboardings",
        stage="starting",
        command="onboard",
        marks=("customer", "stages"),
        commands=(DECIDE, TAKE, REPLAY, CANCEL),
        again_label="go on with its parts",
        pages=PagesFor.PEOPLE,
        renews_links=True,
        has_parts=True,
    ),
)
Kind.CAMPAIGN = register(
    "campaign",
    KindSpec(
        workflow=CAMPAIGN,
        prefix=ACKNOWLEDGEMENT_CAMPAIGN,
        settled=CAMPAIGN_SETTLED,
        event="campaign.completed",
        page="desk",
        desk="campaigns",
        stage="scheduled",
        command="campaign",
        marks=("audience",),
        commands=(TAKE, REMIND, EXTEND, RETRY, EXEMPT, REPLAY, CANCEL),
        again_label="go on with its requests",
        pages=PagesFor.NOBODY,
        has_parts=True,
        every_ending=True,
        due_everywhere=True,
        bulk=True,
    ),
)


class WorkflowName(NamedTuple):
    """Kind and own id of one workflow."""

    kind: Kind
    id: str

    @property
    def workflow_id(self) -> str:
        return self.kind.workflow_id(self.id)

    @property
    def reference(self) -> str:
        """The id for outside systems: the own id of a request, else the workflow id."""
        return self.id if self.kind.spec.bare_reference else self.workflow_id


def named(workflow_id: str) -> WorkflowName | None:
    """Kind and id from a workflow id; None for a workflow that is not followed up."""
    prefix, _, id = workflow_id.partition(":")
    return next((WorkflowName(kind, id) for kind in kinds() if kind.spec.prefix == prefix), None)


def referred(reference: str) -> WorkflowName:
    """Kind and id from a `WorkflowName.reference`."""
    return named(reference) or WorkflowName(Kind.REQUEST, reference)
