"""A group that asked: what its members see at the desk, who takes it on, and what is shared with other groups."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from starter.web.desk.access import ActionForm, FollowUpAccess, View, views_of
from starter.web.desk.lists import Filters, build_list_filter
from starter.web.desk.sessions import Visitor
from starter.web.rights import ReaderRole, rights_of
from tests.starter.web.desk.office import DUTCH, NOW, OPERATOR, SIGNER, Office, office, text_of
from tests.starter.web.desk.test_requests import ID, PAGE, REASON, TIMELINE, make_request_view
from workflows.kinds import Kind, WorkflowName
from workflows.model.commands import Take
from workflows.model.notifications import Notification
from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status
from workflows.model.timeline import EventType, TimelineEntry
from workflows.model.views import SignerLine

TEAM = "group:operations"
"""Of which the operator of the office is one."""


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as opened_office:
        yield opened_office


def add(desk: Office, *people: str) -> None:
    desk.people.write_text(desk.people.read_text() + "".join(f"  - {entry}\n" for entry in people))


async def test_one_of_the_group_takes_it_on_and_only_of_the_group_is_offered_it(desk: Office) -> None:
    add(desk, "{id: eve, name: Eve, email: eve@example.test, zone: UTC, manager: operator, groups: [operations]}")
    desk.views[ID] = make_request_view(requester=TEAM)
    browser = await desk.come_in("eve")
    page = await browser.get(PAGE)
    assert page.status_code == 200
    assert "asked by operations" in text_of(page)
    assert "See to it myself" in page.text
    take_page = await browser.get(f"{PAGE}/take")
    assert (await browser.press(take_page)).status_code == 303
    [(reference, command, _)] = desk.commands
    assert (reference, isinstance(command, Take) and command.person) == (ID, "eve")
    desk.views[ID] = make_request_view(requester=TEAM, taken_by="eve")
    assert "See to it myself" not in (page_after := await browser.get(PAGE)).text
    assert "Eve sees to it" in text_of(page_after)
    assert "See to it myself" in (await (await desk.come_in(OPERATOR)).get(PAGE)).text
    desk.views[ID] = make_request_view(requester=TEAM, notify_all=True)
    assert "See to it myself" not in (await browser.get(PAGE)).text


def test_an_operator_outside_the_group_may_not_take_it_on() -> None:
    role = ReaderRole(OPERATOR, operator=True, groups=frozenset({"operations"}))
    workflow_name, step = WorkflowName(Kind.REQUEST, ID), ActionForm.from_address("take", Kind.REQUEST)
    assert step is not None
    requests = [make_request_view(requester=team) for team in (TEAM, "group:sales")]
    permitted = [
        FollowUpAccess(workflow_name, request, rights_of(role, request), role).permits(step) for request in requests
    ]
    assert permitted == [True, False]


async def test_who_leaves_the_group_sees_it_no_more(desk: Office) -> None:
    add(desk, "{id: eve, name: Eve, email: eve@example.test, zone: UTC, groups: [sales]}")
    desk.views[ID] = make_request_view(requester="group:sales")
    browser = await desk.come_in("eve")
    assert (await browser.get(PAGE)).status_code == 200
    desk.people.write_text(desk.people.read_text().replace("groups: [sales]", "groups: [other]"))
    assert (await browser.get(PAGE)).status_code == 404


def test_the_lists_are_of_ones_teams_and_of_what_is_shared() -> None:
    eve = ReaderRole("eve", groups=frozenset({"sales", "legal"}), visible=frozenset({"nda", "offer"}))
    alone = ReaderRole("bob")
    assert {View.TEAMS, View.SHARED} <= {*views_of(eve)}
    assert {View.TEAMS, View.SHARED}.isdisjoint(views_of(alone))
    visitor = cast(Visitor, SimpleNamespace(id="eve"))
    teams = build_list_filter(View.TEAMS, visitor, eve, Filters())
    assert (teams.people, teams.by_person) == (("group:legal", "group:sales"), True)
    shared = build_list_filter(View.SHARED, visitor, eve, Filters(status="any"))
    assert (shared.kinds, shared.people) == (("nda", "offer"), ())


async def test_who_was_told_by_the_hand_off_reads_all_of_it_but_what_people_wrote(desk: Office) -> None:
    notification = Notification(key="settled", stage="settled", person=DUTCH, at=NOW)
    line = SignerLine(person=SIGNER, order=1, role=Role.SIGN, state=SignerState.DECLINED, at=NOW, reason=REASON)
    declined = TimelineEntry(at=NOW, happened=EventType.DECLINED, who=SIGNER, why=REASON, said=True)
    changes = {"status": Status.DECLINED, "waiting_for": (), "next": None, "signers": (line,)}
    desk.views[ID] = make_request_view(**changes, notifications=(notification,), timeline=(*TIMELINE, declined))
    page = await (await desk.come_in(DUTCH)).get(PAGE)
    assert "Legal Desk" in text_of(page), "who asked, and all that happened"
    assert REASON not in text_of(page)
    assert "/remind" not in page.text and "/cancel" not in page.text
