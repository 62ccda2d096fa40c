"""The views of the desk, and what its visitors may do with a follow-up."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self
from urllib.parse import parse_qsl, urlencode

from activities.notifications.links import at_desk
from activities.people.language import phrase
from starter.web.acting.actions import (
    ACTIONS,
    DECISIONS,
    Action,
    ActionSpec,
    dead_targets,
    exemptable_reviewers,
    possible_actions,
    right_to,
)
from starter.web.acting.kinds import KIND_PAGES, desk_actions, spec_of
from starter.web.rights import ReaderRole, Right, Rights, Standing, in_turn, may_get_link
from starter.web.screens.rendering import Tab
from workflows.kinds import Kind, WorkflowName
from workflows.model.views import Shown

PEOPLE_AT_MOST: Final = 200
"""Named in one query; the nearest."""


class View(StrEnum):
    """The lists of the desk, by the end of their address."""

    WAITING = "waiting"
    ASKED = "asked"
    MINE = "mine"
    TEAMS = "teams"
    PEOPLE = "people"
    SHARED = "shared"
    ATTENTION = "attention"
    ONBOARDINGS = "onboardings"
    CAMPAIGNS = "campaigns"


LABELS: Final = {
    View.WAITING: phrase("Waiting for me"),
    View.ASKED: phrase("Asked by me"),
    View.MINE: phrase("My documents"),
    View.TEAMS: phrase("My teams"),
    View.PEOPLE: phrase("My people"),
    View.SHARED: phrase("Shared with me"),
    View.ATTENTION: phrase("Needs attention"),
    View.ONBOARDINGS: phrase("Onboardings"),
    View.CAMPAIGNS: phrase("Campaigns"),
}


def views_of(role: ReaderRole) -> tuple[View, ...]:
    views = [View.WAITING, View.ASKED, View.MINE]
    views += [View.TEAMS] if role.groups else []
    views += [View.PEOPLE] if role.reports else []
    views += [View.SHARED] if role.visible else []
    views += [View.ATTENTION] if role.operator else []
    return (*views, View.ONBOARDINGS, View.CAMPAIGNS)


def list_address(address: str) -> str:
    """The list with its filters that an untrusted address names; empty for anything else."""
    view, _, query = address.partition("?")
    if view not in list(View):
        return ""
    return f"{view}?{urlencode(parse_qsl(query))}" if query else view


@dataclass(frozen=True)
class ActionForm:
    """An action on a follow-up, or on a `part` of an onboarding."""

    action: Action
    spec: ActionSpec
    part: str = ""

    @classmethod
    def from_address(cls, address: str, kind: Kind) -> Self | None:
        """None for nonsense."""
        action = next((candidate for candidate in desk_actions(kind) if candidate == address), None)
        return cls(action, spec_of(action, kind)) if action else None

    @classmethod
    def for_part(cls, part: str, choice: str) -> Self | None:
        """A decision about a part; None for nonsense."""
        action = next((candidate for candidate, outcome in DECISIONS.items() if outcome == choice), None)
        return cls(action, ACTIONS[action], part) if action else None

    @property
    def address(self) -> str:
        """The end of its address."""
        return f"{self.part}/{DECISIONS[self.action]}" if self.part else self.action.value


def action_forms(view: Shown, rights: Rights) -> Iterator[ActionForm]:
    """What is possible now, with decisions about parts."""
    now = possible_actions(view, desk_actions(view.type))
    for action in now:
        if right_to(action) in rights.all | rights.theirs:
            yield ActionForm(action, spec_of(action, view.type))
    if now and Right.DECIDE in rights and KIND_PAGES[view.type].decides_parts:
        undecided = [part.id for part in view.parts if part.state == "undecided"]
        yield from (ActionForm(action, ACTIONS[action], part) for part in undecided for action in DECISIONS)


def may_take(role: ReaderRole, view: Shown) -> bool:
    """Whether they are of the group that asks, and another sees to it, or nobody."""
    return view.requester in role.known_as and view.taken_by != role.person


@dataclass(frozen=True)
class FollowUpAccess:
    """A follow-up and what the visitor may do with it."""

    what: WorkflowName
    view: Shown
    rights: Rights
    role: ReaderRole

    @property
    def people(self) -> frozenset[str]:
        return self.role.subordinates

    def list_behind(self, address: str, person: str) -> Tab:
        """The list that they came from, else the one in which it stands for them."""
        path = list_address(address) or self._usual_list(person)
        return Tab(path, LABELS[View(path.partition("?")[0])])

    def _usual_list(self, person: str) -> View:
        if own_list := KIND_PAGES[self.what.kind].own_list:
            return View(own_list)
        if person == self.view.requester:
            return View.ASKED
        if self.view.requester in self.role.teams:
            return View.TEAMS
        return View.PEOPLE if self.people.intersection(in_turn(self.view)) else View.WAITING

    @property
    def path(self) -> str:
        """Of its page below `/desk`."""
        return at_desk(self.what)

    @property
    def steps(self) -> tuple[ActionForm, ...]:
        forms = action_forms(self.view, self.rights)
        return tuple(form for form in forms if self._fits(form.action))

    def _fits(self, action: Action) -> bool:
        """Whether it is for them, of those who may do it by their rights."""
        if action is Action.TAKE:
            return may_take(self.role, self.view)
        # Nobody exempts the reviewers of what they ask for themselves.
        return action is not Action.EXEMPT or not (self.view.all_reviews and self.view.requester in self.role.known_as)

    def places(self, action: Action) -> tuple[str, ...]:
        """The people, or targets, of whom one is chosen for it."""
        if action is Action.EXEMPT:
            return exemptable_reviewers(self.view)
        if action is Action.REPLAY:
            return dead_targets(self.view)
        if action is Action.LINK:
            return may_get_link(self.view)
        return self._takers if action is Action.DELEGATE else ()

    @property
    def _takers(self) -> tuple[str, ...]:
        """Whose place they may hand over."""
        everybody = Right.DELEGATE in self.rights
        return tuple(person for person in in_turn(self.view) if everybody or person in self.people)

    def permits(self, step: ActionForm, form: dict[str, str] | None = None) -> bool:
        """Whether their rights allow it; the workflow decides whether it is possible."""
        right = right_to(step.action)
        if right in self.rights.all:
            return step.action is not Action.TAKE or self.view.requester in self.role.known_as
        of_whom = (form or {}).get("signer")
        concerns_all = form is None or step.action is Action.REMIND
        return right in self.rights.theirs and (
            concerns_all or of_whom in self.people.intersection(self.view.asked_people)
        )

    def too_late(self, step: ActionForm) -> bool:
        """Whether their rights allowed it while it was the turn of one of their people."""
        was_asked = not self.rights.theirs and not self.people.isdisjoint(self.view.asked_people)
        return was_asked and right_to(step.action) in Rights.from_standings((Standing.ABOVE_ASKED,)).theirs
