"""Its pages: the texts, what may be done, where it is looked up, and the screen on a phone."""

from dataclasses import replace
from datetime import datetime

from activities.people.reader import Reader
from starter.web.acting.actions import ACTIONS, Action, PageRole
from starter.web.acting.kinds import KIND_PAGES, KindPage
from starter.web.pages.link_screens import DOING, ended_screen, status_screen
from starter.web.pages.options import choices_of
from starter.web.screens.screens import MainButton, Screen, ScreenDraft, ScreenName
from starter.web.screens.status import NO_NAMES, NamesById
from starter.web.screens.view_reader import LOOKS, KindLook
from tests.kinds.approval.kind import APPROVAL, ApprovalShow

_NO = replace(
    ACTIONS[Action.WAIVE],
    label="Say no",
    on_page=(PageRole.ASKED,),
    hint="It ends, and whoever asked is told why.",
    confirmation="It was not approved.",
)
_YES = replace(ACTIONS[Action.DONE], label="Say yes", title="", confirmation="It was approved.")
KIND_PAGES[APPROVAL] = KindPage(
    untitled="An approval",
    called="Approval {id}",
    ended_phrase="This approval has ended",
    lines="Who decides",
    own_page="Open the approval",
    waiting="Waiting for an approval",
    on_page=(Action.DONE, Action.WAIVE),
    on_phones=True,
    specs={Action.DONE: _YES, Action.WAIVE: _NO},
)
LOOKS[APPROVAL] = KindLook()
_ASKING = ScreenDraft(
    ScreenName.DO,
    200,
    "Your approval is needed",
    button=MainButton(Action.DONE, _YES.label),
)


def approval_screen(
    view: ApprovalShow, person: str, reader: Reader, now: datetime, called: NamesById = NO_NAMES
) -> Screen:
    """What the approver finds behind their link."""
    if view.status.has_ended:
        return ended_screen(view.status, reader.language, APPROVAL)
    if choices_of(view, person) is None:
        return status_screen(view, person, reader, now, called)
    return replace(_ASKING.in_language(reader.language), document=view.title, text=view.text)


DOING[APPROVAL] = approval_screen
