"""What of a request needs somebody's attention although nothing is broken: one list, made from the memory alone."""

from collections.abc import Iterable, Iterator

from workflows.follow_up.operations import open_question
from workflows.model.attention import Attention, AttentionCode
from workflows.model.request import SignerState
from workflows.model.settlement import HandoffLine, HandoffState
from workflows.model.wishes import StopKind
from workflows.signature.progress import Progress


def attention_of(progress: Progress) -> tuple[Attention, ...]:
    """Everything that needs somebody, at most one entry a code, the most pressing first."""
    if progress.status.ended:
        return dead_hand_offs(progress.handoff.lines)
    urgency = list(AttentionCode)
    return tuple(sorted(_while_it_lives(progress), key=lambda one: urgency.index(one.code)))


def dead_hand_offs(lines: Iterable[HandoffLine]) -> tuple[Attention, ...]:
    """What the targets that will never hear of the ending mean to somebody: nothing when there are none."""
    dead = [line for line in lines if line.state is HandoffState.DEAD]
    if not dead:
        return ()
    says = f"could not tell {', '.join(line.target for line in dead)}"
    return (Attention(code=AttentionCode.HANDOFF_DEAD, since=min(line.at for line in dead), says=says),)


def _while_it_lives(progress: Progress) -> Iterator[Attention]:
    bounced = [signer for signer in progress.signatures.pending if signer.state is SignerState.BOUNCED]
    if bounced:
        yield Attention(
            code=AttentionCode.MAIL_BOUNCED,
            since=min(signer.at or progress.started_at for signer in bounced),
            says=f"Core Signature's mail to {', '.join(signer.person for signer in bounced)} came back",
        )
    if question := open_question(progress):
        says = f"question {question.number} of {question.person} waits for an answer"
        yield Attention(code=AttentionCode.QUESTION_OPEN, since=question.at, says=says)
    if pause := progress.stop(StopKind.PAUSE):
        yield Attention(code=AttentionCode.PAUSED, since=pause.since, says=pause.words)
