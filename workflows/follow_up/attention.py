"""What needs somebody's attention although nothing is broken: one list, made from the memory alone."""

from collections.abc import Iterator, Sequence

from workflows.follow_up.handoff_lines import dead_lines, dead_of
from workflows.follow_up.memory import FollowUpState
from workflows.follow_up.questions import open_question, question_words
from workflows.model.attention import Attention, AttentionCode
from workflows.model.settlement import HandoffLine
from workflows.model.wishes import StopKind


def attention_of(memory: FollowUpState) -> tuple[Attention, ...]:
    """Everything that needs somebody, at most one entry a code, the most pressing first."""
    if memory.status.ended:
        return dead_hand_offs(dead_of(memory.handoff.lines))
    urgency = list(AttentionCode)
    return tuple(sorted(_while_it_lives(memory), key=lambda one: urgency.index(one.code)))


def dead_hand_offs(dead: Sequence[HandoffLine]) -> tuple[Attention, ...]:
    """What the targets that will never hear mean to somebody: nothing when there are none."""
    if not dead:
        return ()
    says = f"could not tell {', '.join(line.target for line in dead)}"
    return (Attention(code=AttentionCode.HANDOFF_DEAD, since=min(line.at for line in dead), says=says),)


def _while_it_lives(memory: FollowUpState) -> Iterator[Attention]:
    yield from memory.attention()
    if question := open_question(memory):
        code = AttentionCode.BLOCKED if question.blocks else AttentionCode.QUESTION_OPEN
        yield Attention(code=code, since=question.at, says=question_words(question))
    if pause := memory.stop(StopKind.PAUSE):
        yield Attention(code=AttentionCode.PAUSED, since=pause.since, says=pause.words)
    yield from dead_hand_offs(dead_lines(memory.handoff.lines))
