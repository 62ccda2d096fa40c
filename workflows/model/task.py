"""What a task is: something that a team or a person must do by then, without a document."""

from workflows.kinds import Kind, WorkflowName
from workflows.model.base import Model
from workflows.model.subject import Subject


class ToDecide(Model):
    """The part of an onboarding that a task asks to decide about: it is done by a decision, which is taken there."""

    onboarding: str
    part: str

    @property
    def reference(self) -> str:
        """What outside systems know the onboarding by."""
        return WorkflowName(Kind.ONBOARDING, self.onboarding).reference

    @property
    def command(self) -> str:
        """How it is decided at a terminal."""
        decide = f"countersign onboard decide {self.onboarding} --part {self.part}"
        return f"{decide}, and one of --resend, --replace FILE, --waive --reason R, --stop --reason R"


class AnswerField(Model):
    """What whoever does a task is asked to write: the `label` of the field, and how many lines it has."""

    label: str
    required: bool = True
    lines: int = 1


class Task(Subject):
    """A task as it was asked for; its requester is its owner, its people are all asked."""

    type: Kind = Kind.TASK
    text: str = ""
    """What is to be done in the owner's words, by its reference: the text is in the store."""
    colleagues: tuple[str, ...] = ()
    """The only ones to whom whoever is asked may hand over themselves, if any are named."""
    decides: ToDecide | None = None
    answer: AnswerField | None = None
    """What is to be answered by doing it, if anything is."""

    @property
    def subject(self) -> Subject:
        """What everyone needs to know who plans for people or tells them about it."""
        return Subject(**{name: getattr(self, name) for name in Subject.model_fields})
