"""What stands on the page of a request, in its reader's words and on their clock."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from activities.due import due_sentence
from activities.language import phrase
from activities.reader import Reader
from starter.desk.door import Visitor
from starter.desk.rows import Name
from starter.desk.story import Event, story
from starter.desk.words import SIGNERS, problems_of, status_of
from starter.page.standing import ending, facts, following, hand_offs
from workflows.model.request import SignerState
from workflows.model.settlement import HandoffState
from workflows.model.subject import Status
from workflows.model.views import RequestShow, SignerLine

_GOOD: Final = (SignerState.SIGNED, SignerState.APPROVED, SignerState.COPIED)
_DECLINED: Final = phrase("{who} declined, with these words:")

_HAND_OFFS: Final = {
    HandoffState.PENDING: phrase("to be told"),
    HandoffState.DONE: phrase("told"),
    HandoffState.FAILED: phrase("is tried again"),
    HandoffState.DEAD: phrase("could not be told"),
}


@dataclass(frozen=True)
class SignerRow:
    """A signer, how far they are, and since when."""

    name: str
    state: str
    at: str
    good: bool


@dataclass(frozen=True)
class Exchange:
    """A question in a signer's own words, and the answer, empty while there is none."""

    asker: str
    question: str
    answer: str


@dataclass(frozen=True)
class Target:
    """Somebody downstream, and whether they were told."""

    name: str
    state: str


@dataclass(frozen=True)
class Told:
    """Everything that one reader is told; what they may not know is empty."""

    id: str
    title: str
    kind: str
    status: str
    sentences: tuple[str, ...]
    due: str
    overdue: bool
    asked_by: str
    place: str
    signers: tuple[SignerRow, ...]
    signed: str
    problems: tuple[str, ...] = ()
    declined: str = ""
    reason: str = ""
    """Why somebody declined, in their own words."""
    exchanges: tuple[Exchange, ...] = ()
    targets: tuple[Target, ...] = ()
    events: tuple[Event, ...] = ()


async def told(
    shown: RequestShow, visitor: Visitor, name: Name, now: datetime, *, everything: bool, titled: bool
) -> Told:
    """What somebody is told of a request: `everything`, or where it stands; `titled`: what it is called."""
    reader, say = visitor.reader, visitor.reader.language.say
    title = shown.document or shown.id if titled else say("A document of kind {kind}", kind=shown.kind)
    signing = [line for line in shown.signers if line.state is not SignerState.REASSIGNED and line.role != "copy"]
    base = Told(
        id=shown.id,
        title=title,
        kind=shown.kind,
        status=status_of(shown.status, reader.language),
        sentences=await _sentences(shown, reader, name) if everything else facts(shown, reader),
        due=due_sentence(shown.due_at, reader, now) if shown.due_at and not shown.status.ended else "",
        overdue=shown.overdue,
        asked_by=await name(shown.requester) if shown.requester else "",
        place=reader.place(now),
        signers=tuple([await _signer(line, reader, name) for line in shown.signers]),
        signed=say("{done} of {all} have signed", done=sum(one.state in _GOOD for one in signing), all=len(signing)),
    )
    return await _with_everything(base, shown, reader, name) if everything else base


async def _sentences(shown: RequestShow, reader: Reader, name: Name) -> tuple[str, ...]:
    """Where it stands, for whoever may know everything; what only the workflow can say is said in its words."""
    language = reader.language
    if shown.status.ended:
        return ending(shown.status, language) + hand_offs(shown, language)
    if shown.trouble or shown.partial or not shown.waiting_for:
        return (shown.says,)
    people = language.enumerate([await name(one.person) for one in shown.waiting_for])
    return (language.say("Waiting for {people}.", people=people), *following(shown, reader))


async def _with_everything(base: Told, shown: RequestShow, reader: Reader, name: Name) -> Told:
    who, reason = _declined(shown)
    attention = [one.code for one in shown.attention]
    problem = shown.problem.code if shown.problem else None
    problems = problems_of(reader.language, problem, attention[0] if attention else None, shown.trouble)
    return Told(
        **{
            **vars(base),
            "problems": problems,
            "declined": reader.language.say(_DECLINED, who=await name(who)) if reason else "",
            "reason": reason,
            "exchanges": tuple([Exchange(await name(q.person), q.text, q.answer or "") for q in shown.questions]),
            "targets": tuple(
                Target(line.target, reader.language.say(_HAND_OFFS[line.state])) for line in shown.handoffs
            ),
            "events": await story(shown, reader, name),
        }
    )


async def _signer(line: SignerLine, reader: Reader, name: Name) -> SignerRow:
    at = reader.moment(line.at) if line.at else ""
    return SignerRow(await name(line.person), reader.language.say(SIGNERS[line.state]), at, line.state in _GOOD)


def _declined(shown: RequestShow) -> tuple[str, str]:
    """Who declined, and what they said: the signer was promised that whoever asked is told."""
    if shown.status is not Status.DECLINED:
        return "", ""
    for entry in reversed(shown.timeline):
        if entry.what == SignerState.DECLINED and entry.who and entry.why:
            return entry.who, entry.why
    return "", ""
