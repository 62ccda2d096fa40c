"""What differs by kind on web pages: words, and the actions of the desk."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from activities.people.language import phrase
from starter.web.acting.actions import ACTIONS, Action, ActionSpec
from workflows.command_words import Surface, offered
from workflows.kinds import Kind

_CANCEL: Final = ACTIONS[Action.CANCEL]


@dataclass(frozen=True)
class KindPage:
    """The words of a kind for its pages."""

    untitled: str
    """Its name for readers who may not know the title."""
    called: str
    ended_phrase: str
    lines: str
    """Heading of its people, or parts."""
    own_page: str
    """Label of the link to the reader's own page."""
    waiting: str = phrase("Waiting for signatures")
    """The heading while it waits for people."""
    blocked: str = ""
    """The same while one of them cannot go on."""
    on_page: tuple[Action, ...] = ()
    """What those whose turn it is may do on their page, beside what all kinds offer there."""
    on_phones: bool = False
    """Whether its links lead to the usual page (pages/pages.py)."""
    at_desk: bool = True
    """Whether its page at the desk is the usual one (desk/follow_ups.py)."""
    own_list: str = ""
    """The list at the desk that has all of it, if one has."""
    decides_parts: bool = False
    """Whether its owner decides there what becomes of its parts."""
    open: str = phrase("to be done")
    """Its status while open."""
    many_phrase: str = ""
    """Heading of several."""
    specs: Mapping[Action, ActionSpec] = field(default_factory=dict)
    """Actions whose words differ."""


KIND_PAGES: Final[dict[Kind, KindPage]] = {
    Kind.REQUEST: KindPage(
        untitled=phrase("A document of kind {kind}"),
        called=phrase("Request {id}"),
        many_phrase=phrase("Requests"),
        ended_phrase=phrase("This request has ended"),
        lines=phrase("Signers"),
        own_page=phrase("Open the document"),
        on_phones=True,
        specs={
            Action.EXEMPT: replace(
                ACTIONS[Action.EXEMPT],
                label=phrase("Exempt a reviewer"),
                hint=phrase("They need not review it: the others decide. The record says why."),
                confirmation=phrase("They need not review it any more."),
            )
        },
    ),
    Kind.TASK: KindPage(
        untitled=phrase("A task of kind {kind}"),
        called=phrase("Task {id}"),
        many_phrase=phrase("Tasks"),
        ended_phrase=phrase("This task has ended"),
        lines=phrase("Who was asked"),
        own_page=phrase("Open the task"),
        waiting=phrase("Waiting to be done"),
        blocked=phrase("Somebody cannot go on with a task"),
        on_page=(Action.DONE, Action.BLOCK),
        on_phones=True,
        specs={
            Action.DELEGATE: replace(
                ACTIONS[Action.DELEGATE], hint=phrase("Somebody else is asked instead: the old link stops working.")
            ),
            Action.CANCEL: replace(
                _CANCEL,
                label=phrase("Cancel the task"),
                hint=phrase("It ends for good, and everybody concerned is told."),
                confirmation=phrase("It was cancelled."),
            ),
        },
    ),
    Kind.ONBOARDING: KindPage(
        untitled=phrase("An onboarding"),
        called=phrase("Onboarding {id}"),
        many_phrase=phrase("Onboardings"),
        ended_phrase=phrase("This onboarding has ended"),
        lines=phrase("Parts"),
        own_page=phrase("Open the onboarding"),
        own_list="onboardings",
        decides_parts=True,
        open=phrase("under way"),
        specs={Action.CANCEL: replace(ACTIONS[Action.STOP], on_page=(), command=_CANCEL.command)},
    ),
    Kind.CAMPAIGN: KindPage(
        untitled=phrase("A campaign"),
        called=phrase("Campaign {id}"),
        many_phrase=phrase("Campaigns"),
        ended_phrase=phrase("This campaign has ended"),
        lines=phrase("Audience"),
        own_page=phrase("Open the campaign"),
        own_list="campaigns",
        at_desk=False,
        open=phrase("under way"),
        specs={
            Action.REMIND: replace(
                ACTIONS[Action.REMIND],
                label=phrase("Remind everybody"),
                hint=phrase("Everybody who has not acknowledged gets a reminder at once."),
            ),
            Action.EXTEND: replace(
                ACTIONS[Action.EXTEND],
                hint=phrase("Everybody has until the end of that day, and is reminded until then."),
            ),
            Action.CANCEL: replace(
                _CANCEL,
                label=phrase("Stop the campaign"),
                hint=phrase(
                    "Nobody else is asked, and open requests end for good. The record says who has acknowledged."
                ),
                confirmation=phrase("It is being stopped."),
            ),
        },
    ),
}
"""A further kind adds its own."""


def desk_actions(kind: Kind) -> tuple[Action, ...]:
    """What can be done at the desk, in the order of the buttons."""
    return tuple(map(Action, offered(kind.spec.commands, Surface.DESK)))


def spec_of(action: Action, kind: Kind) -> ActionSpec:
    return KIND_PAGES[kind].specs.get(action, ACTIONS[action])
