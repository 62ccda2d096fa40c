"""English texts of notices by kind, stage, required action and outcome, without names of people; translated by
`NotificationText.told`.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final

import regex  # type: ignore[import-untyped]

from activities.people.language import Language, phrase
from workflows.follow_up.notification_types import NotificationType, kind_of
from workflows.kinds import Kind
from workflows.model.notifications import NoticeAction, NotificationOrder
from workflows.model.subject import Role, Status

_LAST_DAY: Final = "last day"
_LEADS: Final[Mapping[str | None, str]] = {
    NotificationType.REMINDER: phrase("Reminder: {what}"),
    NotificationType.FALLBACK: phrase("Reminder: {what}"),
    NotificationType.SNOOZE: phrase("As you asked: {what}"),
    NotificationType.WARNING: phrase("Due soon: {what}"),
    _LAST_DAY: phrase("Last day: {what}"),
    NotificationType.OVERDUE: phrase("Overdue: {what}"),
    NotificationType.ANSWER: phrase("Answered: {what}"),
    NotificationType.ESCALATION: phrase("Asked instead: {what}"),
    NotificationType.ESCALATED: phrase("Escalated: {what}"),
}
"""By type, so that no later notice looks like the first one."""
_DEEDS: Final = {
    "Sign: {document}": phrase("sign {document}"),
    "Approve: {document}": phrase("approve {document}"),
    "Read: {document}": phrase("read {document}"),
    "Ready to review: {document}": phrase("review {document}"),
    "Changes asked for: {document}": phrase("change {document}"),
    "To do: {document}": "{document}",
}
"""A first notice's title, behind the first words of a later one."""
NOTHING_LEFT: Final = phrase("Nothing is left for you to do.")
_DONE: Final = {Role.SIGN: phrase("Signed"), Role.DO: phrase("Done")}
_ISOLATE, _END_OF_ISOLATE = "\u2068", "\u2069"
_TURNING: Final = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
_RIGHT_TO_LEFT: Final = regex.compile(r"[\p{Bidi_Class=R}\p{Bidi_Class=AL}\p{Bidi_Class=AN}]")


@dataclass(frozen=True)
class NotificationText:
    """`title` names no document, `named` does by `{document}`; `body` is one sentence or empty. `closing` texts ask for
    nothing. `counts` is the title with a number of people.
    """

    title: str
    named: str
    body: str = ""
    closing: bool = False
    counts: Callable[[Language, NotificationOrder], str] | None = None

    def translate(
        self, language: Language, notice: NotificationOrder | None = None, lead: str = ""
    ) -> "NotificationText":
        """Translated, with the numbers of `notice`; `lead` begins the named title of a later notice."""
        title, named = language.say(self.title), language.say(self.named)
        if lead and (deed := _DEEDS.get(self.named)):
            named = language.say(lead, what=language.say(deed))
        if self.counts and notice and notice.count is not None:
            title = self.counts(language, notice)
            named = language.say("{what}: {document}", what=title, document="{document}")
        return replace(self, title=title, named=named, body=language.say(self.body) if self.body else "")


def lead_of(stage: str, remaining: timedelta | None) -> str:
    """The first words of a later notice, `left` before it is due; empty for a first one."""
    type: str | None = kind_of(stage)
    if type == NotificationType.WARNING and remaining is not None and remaining <= timedelta(days=1):
        type = _LAST_DAY if remaining > timedelta() else NotificationType.OVERDUE
    return _LEADS.get(type, "")


ByAction = Mapping[NoticeAction, NotificationText]


@dataclass(frozen=True)
class KindTexts:
    """The texts of one kind, by stage and by outcome; `first` also serves unknown stages."""

    stages: Mapping[str, ByAction]
    endings: Mapping[str, NotificationText]
    in_review: "KindTexts | None" = None
    """The same before it is sent."""

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> "KindTexts":
        """As `words.toml` has them."""
        stages = {stage: _by_action(text) for stage, text in table["asks"].items()}
        stages |= {stage: _by_action(text, closing=True) for stage, text in table["tells"].items()}
        endings = {outcome: _text(text, closing=True) for outcome, text in table["ended"].items()}
        review = cls.read(table["review"]) if "review" in table else None
        review_texts = review and cls({**stages, **review.stages}, {**endings, **review.endings})
        return cls(stages, endings, review_texts)

    def choose_text(
        self, stage: str, action: NoticeAction, *, to_requester: bool, overdue: bool, is_repeated: bool = False
    ) -> NotificationText:
        stage_kind: str | None = kind_of(stage)
        if stage_kind == NotificationType.READY and is_repeated:
            stage_kind = "again"
        if stage_kind == NotificationType.WARNING and overdue:
            stage_kind = NotificationType.OVERDUE
        elif stage_kind == NotificationType.ESCALATION and to_requester:
            stage_kind = "nobody_left"
        elif stage_kind == NotificationType.UNANSWERED and not to_requester:
            stage_kind = "unanswered_by_others"
        return self.stages.get(stage_kind or "first", self.stages["first"])[action]


def _of_a_manager(language: Language, notice: NotificationOrder) -> str:
    """`4 of your people have not acknowledged yet, 1 overdue`."""
    still_open, late, say_count = notice.count or 0, notice.overdue, language.say_count
    people = say_count(
        "{count} of your people has not acknowledged yet",
        "{count} of your people have not acknowledged yet",
        still_open,
    )
    return ", ".join((people, say_count("{count} overdue", "{count} overdue", late))) if late else people


def _of_an_owner(language: Language, notice: NotificationOrder) -> str:
    return language.say_count(
        "{count} of {all} has not acknowledged yet",
        "{count} of {all} have not acknowledged yet",
        notice.count or 0,
        all=notice.total,
    )


def _sent_together(language: Language, notice: NotificationOrder) -> str:
    return language.say_count("{count} request sent", "{count} requests sent", notice.count or 0)


_COUNTS: Final = {
    "Sent for signature": _sent_together,
    "Some of your people have not acknowledged yet": _of_a_manager,
    "How far your campaign has come": _of_an_owner,
}
"""Titles that are told with numbers."""


def _by_action(texts: Any, *, closing: bool = False) -> ByAction:
    if isinstance(texts, Mapping):
        return {NoticeAction(action): _text(text, closing=closing) for action, text in texts.items()}
    return dict.fromkeys(NoticeAction, _text(texts, closing=closing))


def _text(texts: Sequence[str], *, closing: bool) -> NotificationText:
    title, named, body = (*texts, "")[:3]
    return NotificationText(title, named, body, closing, _COUNTS.get(title))


TEXTS: Final[dict[Kind, KindTexts]] = {
    Kind(kind): KindTexts.read(table)
    for kind, table in tomllib.loads(Path(__file__).with_suffix(".toml").read_text()).items()
}
"""What each kind says; a further kind adds its own."""
OWN_REFUSAL: Final = NotificationText(
    phrase("You declined"), phrase("You declined: {document}"), phrase("Nothing is left for you to do."), closing=True
)
"""To the one who declined."""
SIGNED_ALONE: Final = replace(TEXTS[Kind.REQUEST].endings[Status.SIGNED], body=phrase("It has been signed."))
"""For an only signer."""


def extracted(file: BinaryIO, *_: object, options: object) -> Iterator[tuple[int, None, str, list[str]]]:
    """The texts of `words.toml` for `pybabel extract`."""
    waiting: list[Any] = [tomllib.load(file)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            if node != "{document}":
                yield 0, None, node, []
        else:
            waiting += node.values() if isinstance(node, Mapping) else node


def words_for(
    stage: str,
    action: NoticeAction,
    outcome: Status | None,
    *,
    subject_kind: Kind = Kind.REQUEST,
    to_requester: bool = False,
    overdue: bool = False,
    in_review: bool = False,
    is_repeated: bool = False,
) -> NotificationText:
    """With an `outcome` that of the ending. A stage may have numbers (`reminder-2`, `warning-2d.2`); unknown stages use
    the first notice's text. An escalation back to the requester says that nobody is left. `again` is a later round of a
    review.
    """
    texts = TEXTS[subject_kind].in_review if in_review else None
    texts = texts or TEXTS[subject_kind]
    if outcome and (ending := texts.endings.get(outcome)):
        return ending
    return texts.choose_text(stage, action, to_requester=to_requester, overdue=overdue, is_repeated=is_repeated)


def withdrawal_texts(stage: str, role: Role | None, outcome: Status | None) -> tuple[str, str]:
    """Title and body in the place of a notice that is withdrawn from somebody of this role."""
    acted = stage == NotificationType.WITHDRAWAL and outcome is not Status.DECLINED
    deed = _DONE.get(role) if acted and role else None
    return (deed, NOTHING_LEFT) if deed else (NOTHING_LEFT, "")


def unturned(name: str) -> str:
    """A document's name without invisible characters that change the text direction."""
    return name.translate(_TURNING)


def isolated(name: str) -> str:
    """The name in directional isolates, so that a right-to-left name does not reorder the sentence."""
    return f"{_ISOLATE}{name}{_END_OF_ISOLATE}" if _RIGHT_TO_LEFT.search(name) else name
