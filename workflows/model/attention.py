"""What needs somebody's attention although nothing is broken; what is broken is a `Problem` (wishes.py)."""

from enum import StrEnum

from pydantic import AwareDatetime

from workflows.model.base import Model


class AttentionCode(StrEnum):
    """Why somebody should look, the most pressing first."""

    DECISION = "decision"
    MAIL_BOUNCED = "mail_bounced"
    QUESTION_OPEN = "question_open"
    BLOCKED = "blocked"
    PUSH_MISMATCH = "push_mismatch"
    PAUSED = "paused"
    NOT_ASKED = "not_asked"
    HANDOFF_DEAD = "handoff_dead"


class Attention(Model):
    """One such reason, since when, and in words."""

    code: AttentionCode
    since: AwareDatetime
    says: str
