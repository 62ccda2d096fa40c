"""The page of a reviewer before the document is sent, and of the requester who is to give a new version."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from activities.people.language import phrase
from activities.people.reader import Reader
from starter.web.acting.actions import ACTIONS, Action
from starter.web.acting.versions import VERSION
from starter.web.pages import link_screens
from starter.web.screens.screens import FileLink, MainButton, Screen, ScreenDraft, ScreenName, ScreenTone
from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status, group_of
from workflows.model.views import RequestShow, ReviewLine

_REVIEW: Final = ScreenDraft(
    ScreenName.REVIEW,
    200,
    phrase("A document is ready to review"),
    (phrase("It is sent to the signers once its reviewers have approved it."),),
    button=MainButton(Action.APPROVE, phrase("Approve"), ACTIONS[Action.APPROVE].hint, quiet=True),
)
_REVIEW_AGAIN: Final = replace(_REVIEW, heading=phrase("A new version is ready to review"))
_REVISE: Final = ScreenDraft(
    ScreenName.REVISE,
    200,
    phrase("Changes are asked for"),
    (phrase("Your new version goes to the reviewers again."),),
    button=MainButton(
        Action.REVISE,
        ACTIONS[Action.REVISE].button,
        ACTIONS[Action.REVISE].hint,
        field=ACTIONS[Action.REVISE].field,
        is_needed=False,
        lines=3,
        upload=phrase("The new version (PDF)"),
    ),
)
_EARLY: Final = ScreenDraft(
    ScreenName.EARLY,
    200,
    phrase("It is not your turn yet"),
    (phrase("Somebody else reviews it first. You will be told when it is your turn."),),
    tone=ScreenTone.CALM,
)
_CHANGES: Final = ScreenDraft(
    ScreenName.ACTED,
    200,
    phrase("You have asked for changes"),
    (phrase("You will be told when there is a new version."),),
    tone=ScreenTone.DONE,
)
_REVISED: Final = ScreenDraft(
    ScreenName.ACTED,
    200,
    phrase("You have given a new version"),
    (phrase("The reviewers are asked again."),),
    tone=ScreenTone.DONE,
)
_SPARED: Final = ScreenDraft(
    ScreenName.ACTED,
    200,
    phrase("You need not review this any more"),
    (phrase("Nothing is left for you to do."),),
    tone=ScreenTone.CALM,
)
_STRANGER: Final = ScreenDraft(
    ScreenName.STRANGER,
    404,
    phrase("You are not among the reviewers"),
    (phrase("Please ask whoever sent you the link."),),
)
_BETWEEN_VERSIONS: Final = (
    (SignerState.CHANGES, phrase("This was to be changed in the version before:")),
    (SignerState.REVISED, phrase("This has changed, in the words of whoever asked for it:")),
)
_TO_COME: Final = (SignerState.WAITING, SignerState.TURN)


def review_screen(view: RequestShow, person: str, ref: str, reader: Reader, now: datetime) -> Screen:
    """What somebody finds behind the link of a review; `ref` is the link's."""
    language, line = reader.language, _line_of(view, person)
    if line is None:
        return _STRANGER.in_language(language)
    if line.state is SignerState.REASSIGNED:
        return link_screens.HANDED_OVER.in_language(language)
    if view.status.has_ended and (line.state in _TO_COME or view.unapproved):
        return link_screens.ended_screen(view.status, language, in_review=view.unapproved)
    if view.status is Status.REVIEW and any(turn.person == person for turn in view.waiting_for):
        return _asking(view, line, ref, reader, now)
    return _acted_screen(view, line, reader)


def as_asker(view: RequestShow, person: str) -> RequestShow:
    """What waits for the group that asks waits for each of it; `view` is as the person sees it."""
    group = next((review.person for review in view.reviews if group_of(review.person)), None)
    if group is None or view.requester != person:
        return view

    def theirs(lines: Any) -> Any:
        return tuple(line.replace(person=person) if line.person == group else line for line in lines)

    return view.replace(
        reviews=theirs(view.reviews), waiting_for=theirs(view.waiting_for), choices=theirs(view.choices)
    )


def version_link(view: RequestShow, path: str, reader: Reader) -> FileLink | None:
    """The way to the document that is reviewed now; `path` is the page's."""
    if not view.versions:
        return None
    number = view.versions[-1].number
    label = phrase("Read the document") if number == 1 else phrase("Read the document, version {number}")
    return FileLink(f"{path}/{VERSION}", reader.language.say(label, number=number))


def may_read_version(view: RequestShow, person: str) -> bool:
    """Whether it is theirs to review, or they have asked for it."""
    line = _line_of(view, person)
    return person == view.requester or (line is not None and line.state is not SignerState.REASSIGNED)


def _acted_screen(view: RequestShow, line: ReviewLine, reader: Reader) -> Screen:
    """What somebody has done, or that nothing is asked of them now."""
    language = reader.language
    match line.state:
        case SignerState.APPROVED:
            comes = phrase("It is sent once its reviewers have approved it.")
            sent = phrase("It was approved for sending. Nothing is left for you to do.")
            screen = link_screens.acted_screen(link_screens.APPROVED, view.document, line, reader)
            nothing_left = language.say(comes if view.status is Status.REVIEW else sent)
            return replace(screen, ticked=True, comes=(nothing_left,))
        case SignerState.CHANGES:
            return replace(_CHANGES.in_language(language), document=view.document, quote=line.reason or "")
        case SignerState.REVISED:
            return replace(_REVISED.in_language(language), document=view.document)
        case SignerState.WAITING:
            return replace(_EARLY.in_language(language), document=view.document)
    return replace(_SPARED.in_language(language), document=view.document)


def _asking(view: RequestShow, line: ReviewLine, ref: str, reader: Reader, now: datetime) -> Screen:
    draft = _REVISE if line.role is Role.REVISE else _REVIEW if line.round == 1 else _REVIEW_AGAIN
    say = reader.language.say
    screen = replace(draft.in_language(reader.language), document=view.document, reads=version_link(view, ref, reader))
    if line.role is Role.REVISE:
        screen = replace(screen, quote=_words_of(view, line.round, SignerState.CHANGES))
    else:
        sentences = ((say(sentence), _words_of(view, line.round - 1, state)) for state, sentence in _BETWEEN_VERSIONS)
        remarks = tuple((sentence, remark) for sentence, remark in sentences if remark)
        screen = replace(screen, version=str(line.round), remarks=remarks)
    return link_screens.due_of(screen, view.due_at, reader, now) if view.due_at else screen


def _words_of(view: RequestShow, round: int, state: SignerState) -> str:
    """What somebody who is in this state wrote about the version of this round."""
    return next(
        (review.reason for review in view.reviews if review.round == round and review.state is state and review.reason),
        "",
    )


def _line_of(view: RequestShow, person: str) -> ReviewLine | None:
    """Their latest; of one round the one that is still theirs."""
    reviews = [review for review in view.reviews if review.person == person]
    last = max((review.round for review in reviews), default=0)
    now = [latest for latest in reviews if latest.round == last]
    return next((review for review in now if review.state is not SignerState.REASSIGNED), now[0] if now else None)
