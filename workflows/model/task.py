"""What a task is: something that a team or a person must do by then, without a document."""

from workflows.kinds import Kind
from workflows.model.subject import Subject


class Task(Subject):
    """A task as it was asked for; its requester is its owner, its people are all asked."""

    type: Kind = Kind.TASK
    text: str = ""
    """What is to be done in the owner's words, by its reference: the text is in the store."""
    colleagues: tuple[str, ...] = ()
    """The only ones to whom whoever is asked may hand over themselves, if any are named."""

    @property
    def subject(self) -> Subject:
        """What everyone needs to know who plans for people or tells them about it."""
        return Subject(**{name: getattr(self, name) for name in Subject.model_fields})
