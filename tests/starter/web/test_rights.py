"""The table of rights, cell by cell: each role, of each kind of thing, with each action, as docs/rights.md has it."""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from activities.people.database_directory import DatabaseDirectory
from activities.people.rights import TokenRights
from activities.policies.catalogue import StarterEntry
from activities.records.store import Store
from starter.web.rights import (
    ABOUT_PEOPLE,
    COMMANDS,
    RIGHTS,
    ReaderRole,
    ReaderRoles,
    Right,
    Rights,
    Standing,
    TokenRole,
    may_start,
    rights_concerning,
    rights_of,
    rights_to_begin,
)
from tests.markdown import ROOT
from tests.starter.web.scim.directory import pushing
from workflows.follow_up.notification_types import NotificationType
from workflows.kinds import Kind
from workflows.model.notifications import Notification, NotificationOutcome
from workflows.model.signature import DocumentVersion, SignerState
from workflows.model.subject import Role, Status
from workflows.model.views import (
    AssigneeLine,
    CampaignShow,
    OnboardingShow,
    RequestShow,
    ReviewLine,
    Shown,
    SignerLine,
    TaskShow,
)

NOW: Final = datetime(2026, 11, 26, 14, tzinfo=UTC)
REQUESTER, SIGNER, COPY, FORMER, TOLD, MISSED = "legal", "chair", "archive", "executive", "finance", "sales"
COLLEAGUE: Final = "colleague"
SEES: Final[Mapping[str, set[Right]]] = {
    "–": set(),
    "status": {Right.STATUS},
    "title": {Right.STATUS, Right.TITLE},
    "all but texts": {Right.STATUS, Right.TITLE, Right.WHOLE},
    "everything": {Right.STATUS, Right.TITLE, Right.WHOLE, Right.TEXTS},
}
CONCERNS: Final = {"see": Right.PERSON, "absences": Right.AWAY}
THEIRS: Final = "of their people: "
ALL: Final = "all"


def read_table(head: str) -> Iterator[list[str]]:
    """The cells of the table of the page that begins with this one."""
    lines = (ROOT / "docs" / "rights.md").read_text().splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith(f"| {head} |"))
    for line in lines[begin + 2 :]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def parse_row(row: list[str]) -> tuple[set[Right], set[Right]]:
    """What a row says that somebody may, and may of their people alone."""
    _, sees, downloads, commands, begins, people = row
    rights = set(SEES[sees])
    rights |= {Right.DOWNLOAD} if downloads == "yes" else set()
    rights |= {Right.BEGIN} if begins == "yes" else set()
    rights |= {CONCERNS[concern] for concern in people.split(", ") if concern != "–"}
    if commands.startswith(THEIRS):
        return rights, {Right(right) for right in commands.removeprefix(THEIRS).split(", ")}
    if commands.startswith(ALL):
        without = commands.removeprefix(ALL).removeprefix(" but ")
        return rights | COMMANDS - {Right(right) for right in without.split(", ") if right}, set()
    return rights | {Right(right) for right in commands.split(", ") if right != "–"}, set()


TABLE: Final = {Standing(row[0]): parse_row(row) for row in read_table("Who")}


def make_notification(
    person: str, outcome: NotificationOutcome = NotificationOutcome.ACCEPTED, stage: str = "settled"
) -> Notification:
    return Notification(key=f"{stage}-{person}", stage=stage, person=person, outcome=outcome, at=NOW)


OF_PARTS: Final = (
    make_notification(TOLD),
    make_notification(MISSED, NotificationOutcome.FAILED),
    make_notification("onlooker", stage=NotificationType.ESCALATION),
)
NOTICES: Final = (*OF_PARTS, make_notification(FORMER), make_notification(SIGNER))
SHOWN = RequestShow(
    id="msa-0042",
    kind="nda",
    document="Master services agreement",
    requester=REQUESTER,
    status=Status.SIGNED,
    signers=(
        SignerLine(person=FORMER, order=1, role=Role.SIGN, state=SignerState.REASSIGNED),
        SignerLine(person=SIGNER, order=1, role=Role.SIGN, state=SignerState.TURN),
        SignerLine(person=COPY, order=2, role=Role.COPY, state=SignerState.COPIED),
    ),
    versions=(DocumentVersion(sha256="ab" * 32, number=1, at=NOW, by=REQUESTER),),
    reviews=(ReviewLine(person="reviewer", order=1, role=Role.REVIEW, state=SignerState.APPROVED, round=1),),
    notifications=NOTICES,
)
THINGS: Final[Mapping[Kind, Shown]] = {
    Kind.REQUEST: SHOWN,
    Kind.TASK: TaskShow(
        id="acme.account",
        kind="nda",
        title="Create the account",
        requester=REQUESTER,
        status=Status.DONE,
        people=(AssigneeLine(person=FORMER, state="reassigned"), AssigneeLine(person=SIGNER, state="asked")),
        notifications=NOTICES,
    ),
    Kind.ONBOARDING: OnboardingShow(
        id="acme",
        kind="nda",
        title="Acme",
        requester=REQUESTER,
        status=Status.DONE,
        teams=("success-desk", "group:operations"),
        notifications=OF_PARTS,
    ),
    Kind.CAMPAIGN: CampaignShow(
        id="conduct",
        kind="nda",
        title="Conduct",
        requester=REQUESTER,
        status=Status.DONE,
        opens_at=NOW,
        due=NOW.date(),
        notifications=OF_PARTS,
    ),
}
PEOPLE: Final[Mapping[Standing, ReaderRole | TokenRole]] = {
    Standing.OPERATOR: ReaderRole("ops", operator=True),
    Standing.REQUESTER: ReaderRole(REQUESTER),
    Standing.ABOVE_REQUESTER: ReaderRole("head", reports=("x", REQUESTER)),
    Standing.ASKED: ReaderRole(SIGNER),
    Standing.REPLACED: ReaderRole(FORMER),
    Standing.ABOVE_ASKED: ReaderRole("lead", reports=(SIGNER,)),
    Standing.ABOVE_REPLACED: ReaderRole("boss", reports=(FORMER,)),
    Standing.TOLD: ReaderRole(TOLD),
    Standing.TEAM: ReaderRole("engineer", groups=frozenset({"operations"})),
    Standing.VISIBLE: ReaderRole("support", visible=frozenset({"nda"})),
    Standing.REVIEWER: ReaderRole("reviewer"),
    Standing.STARTER: ReaderRole("seller", starts=frozenset({"nda"})),
    Standing.THEMSELVES: ReaderRole(COLLEAGUE),
    Standing.ABOVE: ReaderRole("manager", reports=("x", COLLEAGUE)),
    Standing.PROGRAM_READ: TokenRole(TokenRights.read(["read"])),
    Standing.PROGRAM_CHANGE: TokenRole(TokenRights.read(["change"])),
    Standing.PROGRAM_START: TokenRole(TokenRights.read(["start:nda"])),
}
ASK_PEOPLE: Final = (Standing.ASKED, Standing.REPLACED, Standing.ABOVE_ASKED, Standing.ABOVE_REPLACED)
"""Only of what asks people itself."""


def can_stand(standing: Standing, view: Shown) -> bool:
    """Whether somebody may be this to a thing of its kind."""
    required_people = {Standing.TEAM: view.read_by, Standing.REVIEWER: view.all_reviews}
    return bool(required_people.get(standing, True)) and not (standing in ASK_PEOPLE and not view.lines)


@pytest.mark.parametrize("standing", PEOPLE)
@pytest.mark.parametrize("kind", THINGS)
def test_each_may_what_the_page_says(standing: Standing, kind: Kind) -> None:
    role, view = PEOPLE[standing], THINGS[kind]
    rights, theirs = TABLE[standing] if can_stand(standing, view) else (set[Right](), set[Right]())
    asks = role.person if isinstance(role, ReaderRole) else view.requester
    for right in Right:
        if right in ABOUT_PEOPLE:
            actual_rights = rights_concerning(role, COLLEAGUE)
        else:
            actual_rights = rights_to_begin(role, view.kind, asks) if right is Right.BEGIN else rights_of(role, view)
        assert (right in actual_rights) is (right in rights), right
        assert (right in actual_rights.theirs) is (right in theirs), right


def test_the_page_has_every_role() -> None:
    assert set(TABLE) == set(RIGHTS) == set(Standing) == {*PEOPLE}
    assert {standing: Rights.from_standings((standing,)) for standing in Standing} == {
        standing: Rights(frozenset(rights), frozenset(theirs)) for standing, (rights, theirs) in TABLE.items()
    }


@pytest.mark.parametrize("standing", Standing)
def test_nobody_has_content_without_its_name(standing: Standing) -> None:
    content = RIGHTS[standing] & {Right.WHOLE, Right.TEXTS, Right.DOWNLOAD}
    assert not content or {Right.STATUS, Right.TITLE} <= RIGHTS[standing]


def test_desk_and_api_ask_the_same_table() -> None:
    """Whoever makes rights elsewhere makes them from a row of it."""
    sources = {path: path.read_text() for path in (ROOT / "starter").rglob("*.py") if path.name != "rights.py"}
    assert not [path for path, text in sources.items() if re.search(r"\bRights\(", text)]
    askers = {path.parent.name for path, text in sources.items() if re.search(r"\brights_of\(|_files\.rights\(", text)}
    assert {"desk", "api"} <= askers


@pytest.mark.parametrize("pushed", ["sales", "Sales"])
@pytest.mark.parametrize("written", ["sales", "SALES"])
def test_a_catalogue_may_write_a_group_with_other_capitals_than_the_directory(pushed: str, written: str) -> None:
    role = ReaderRole("ada", groups=frozenset({pushed}))
    assert role.is_in(written) and may_start(role, [StarterEntry(group=written)])
    assert not may_start(role, [StarterEntry(group="sales-emea")])
    assert not role.is_in(None)


async def test_a_group_of_the_company_s_directory_gives_its_rights_until_somebody_leaves(tmp_path: Path) -> None:
    with closing(Store(str(tmp_path))) as store:
        async with pushing(store) as company:
            await company.add_user("ada")
            await company.add_group("Operators", "ada")
            assert await DatabaseDirectory(store).group("operators") == ("ada",)
            role = await ReaderRoles(DatabaseDirectory(store), "operators", NoKinds()).role_of("ada")
            assert rights_of(role, SHOWN).all >= RIGHTS[Standing.OPERATOR]
            await company.call("DELETE", "/Users/ada")
            assert await DatabaseDirectory(store).present("ada") is None


class NoKinds:
    """A catalogue that names nobody."""

    async def visible_to(self, role: ReaderRole) -> frozenset[str]:
        """None."""
        return frozenset()

    async def startable(self, role: ReaderRole) -> tuple[str, ...]:
        """None."""
        return ()


@pytest.mark.parametrize("kind", THINGS)
@pytest.mark.parametrize("person", ["stranger", MISSED, "onlooker", ""])
def test_nobody_else_sees_anything(person: str, kind: Kind) -> None:
    stranger = ReaderRole(person, reports=("x",), groups=frozenset({"sales"}), visible=frozenset({"other"}))
    assert rights_of(stranger, THINGS[kind]) == Rights()
    assert rights_to_begin(stranger, "nda", REQUESTER) == Rights()
    assert rights_concerning(stranger, COLLEAGUE) == Rights()


@pytest.mark.parametrize("state", [SignerState.SIGNED, SignerState.DECLINED, SignerState.WAITING])
def test_nothing_is_done_about_people_whose_turn_it_is_not(state: SignerState) -> None:
    """Somebody else may be asked at that moment, whom their manager has nothing to do with."""
    view = SHOWN.replace(signers=(SHOWN.signers[1].replace(state=state), SHOWN.signers[1].replace(person="other")))
    assert rights_of(PEOPLE[Standing.ABOVE_ASKED], view).theirs == frozenset()


def test_who_gets_a_copy_may_have_it_from_here_as_well() -> None:
    assert Right.DOWNLOAD in rights_of(ReaderRole(COPY), SHOWN)


def test_somebody_who_is_several_things_may_what_each_of_them_may() -> None:
    above_both = rights_of(ReaderRole(FORMER, reports=(REQUESTER, SIGNER)), SHOWN)
    assert {Right.TEXTS, Right.CANCEL} <= above_both.all


def test_who_has_the_place_again_counts_as_asked() -> None:
    view = SHOWN.replace(
        signers=(*SHOWN.signers, SignerLine(person=FORMER, order=1, role=Role.SIGN, state=SignerState.SIGNED))
    )
    assert rights_of(ReaderRole(FORMER), view) == Rights.from_standings((Standing.ASKED,))


def test_a_signer_who_is_told_of_the_ending_sees_no_more_than_before() -> None:
    assert Right.WHOLE not in rights_of(ReaderRole(SIGNER), SHOWN)


def test_of_a_group_that_asked_each_member_is_the_requester_and_nobody_is_above_it() -> None:
    view = SHOWN.replace(requester="group:sales")
    assert rights_of(ReaderRole("eve", groups=frozenset({"sales"})), view) == Rights.from_standings(
        (Standing.REQUESTER,)
    )
    assert rights_of(ReaderRole("boss", reports=("eve",)), view) == Rights()


def test_a_token_is_limited_to_its_kinds_and_requesters() -> None:
    limited = TokenRole(TokenRights.read(["read:nda", "change@legal"]))
    assert {Right.WHOLE, Right.REMIND} <= rights_of(limited, SHOWN).all
    assert rights_concerning(limited, COLLEAGUE) == Rights()
    assert rights_of(TokenRole(TokenRights.read(["read:offer", "change@hr"])), SHOWN) == Rights()
    assert rights_to_begin(TokenRole(TokenRights.read(["start:nda@hr"])), "nda", REQUESTER) == Rights()


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (ReaderRole("ada", groups=frozenset({"sales"})), (True, False, True, False)),
        (ReaderRole("legal-desk", groups=frozenset({"legal"})), (False, True, True, False)),
        (ReaderRole("ops", operator=True, groups=frozenset({"operators"})), (False, False, True, False)),
    ],
)
def test_who_may_begin_something(role: ReaderRole, may: tuple[bool, ...]) -> None:
    """By group, by id, everybody, nobody; an operator only where they are named."""
    kinds = (StarterEntry(group="sales"),), (StarterEntry(person="legal-desk"),), (StarterEntry(everyone=True),), ()
    assert tuple(may_start(role, starters) for starters in kinds) == may


def test_a_person_begins_for_themselves_or_a_group_of_theirs() -> None:
    seller = ReaderRole("eve", groups=frozenset({"sales"}), starts=frozenset({"nda"}))
    asks = ("eve", "group:sales", "bob", "group:legal")
    assert [Right.BEGIN in rights_to_begin(seller, "nda", requester) for requester in asks] == [
        True,
        True,
        False,
        False,
    ]
