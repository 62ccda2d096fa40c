"""What is in the way, as people read it who cannot mend it at a terminal: in their language, and whose turn it is."""

from collections.abc import Mapping
from typing import Final

from activities.language import Language, phrase
from workflows.model.attention import AttentionCode
from workflows.model.subject import Code

_PROBLEMS: Final[Mapping[str, str]] = {
    Code.UNAUTHORISED: phrase("A service does not let us in; the operators are needed."),
    Code.PROVIDER_UNSURE: phrase("Core Signature gave no clear answer; we are checking again."),
    Code.PLANNING: phrase("The reminders could not be planned; the operators are needed."),
    Code.DIRECTORY: phrase("Somebody is not in the directory, or it cannot be read."),
    Code.UNREACHABLE: phrase("A service does not answer; it is tried again by itself."),
    Code.REFUSED: phrase("A service refuses what it is asked; the operators are needed."),
    Code.PUSH_MISMATCH: phrase("The phones belong to another push service; the operators are needed."),
    Code.ID_USED_BEFORE: phrase("Its id was used before at Core Signature."),
    Code.DOCUMENT_DELETED: phrase("The document was deleted at Core Signature."),
    Code.CONVERT_ERROR: phrase("Core Signature could not convert the document."),
    Code.SENDING_ERROR: phrase("Core Signature could not send the document."),
    Code.NOT_OPENED: phrase("It did not open in time: nobody was asked."),
    AttentionCode.MAIL_BOUNCED: phrase("A signer's email came back."),
    AttentionCode.QUESTION_OPEN: phrase("Somebody waits for an answer."),
    AttentionCode.PAUSED: phrase("It is paused."),
    AttentionCode.DECISION: phrase("A part of it waits for a decision."),
    AttentionCode.NOT_ASKED: phrase("Not everyone could be asked."),
    AttentionCode.HANDOFF_DEAD: phrase("Somebody downstream will not hear of its end."),
    "terminated": phrase("Somebody ended its workflow in Temporal."),
    "timed out": phrase("Its workflow ran out of time in Temporal."),
    "stuck": phrase("Its workflow fails time after time; the operators are needed."),
}
_SOMETHING: Final = phrase("Something is in the way; the operators are needed.")
_BROKEN: Final = phrase("Its workflow was broken off in Temporal.")
_OVERRULED: Final = {"failed": _BROKEN, "paused": _PROBLEMS[AttentionCode.PAUSED]}
"""Of what the workflow cannot say of itself: `failed` is not the status of that name."""


def problems_of(language: Language, problem: str | None, attention: str | None, trouble: str | None) -> tuple[str, ...]:
    """What needs somebody, each once, the most pressing first."""
    told = [_OVERRULED.get(trouble, _PROBLEMS.get(trouble, _SOMETHING))] if trouble else []
    told += [_PROBLEMS.get(code, _SOMETHING) for code in (problem, attention) if code]
    return tuple(dict.fromkeys(map(language.say, told)))
