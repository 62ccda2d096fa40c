"""Notices to a group that asks: each member has a line of their own, and the group has one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from activities.notifications.message import NotificationMessage
from activities.notifications.push_services import MessageFate, MessageResult
from activities.notifications.service import NotificationService
from activities.people.directory import TEAM_AT_MOST
from activities.people.file_directory import FileDirectory
from activities.people.person import AddressKind
from activities.records.store import Store
from tests.activities.notifications.stage import brief, notice
from workflows.model.notifications import Delivery, NoticeAction, NotificationOutcome

SALES = "group:sales"


class Phones:
    """A push service that takes all but those of `lost`."""

    def __init__(self) -> None:
        self.sent: dict[str, NotificationMessage] = {}
        self.lost: set[str] = set()

    async def send(
        self, token: str, message: NotificationMessage, kind: AddressKind = AddressKind.TOKEN
    ) -> MessageResult:
        person = token.partition("~")[0]
        if person in self.lost:
            return MessageResult(MessageFate.REFUSED)
        self.sent[person] = message
        return MessageResult(MessageFate.ACCEPTED)

    async def check(self) -> None: ...

    async def aclose(self) -> None: ...


@pytest.fixture
def phones() -> Phones:
    return Phones()


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return tmp_path / "sales.yaml"


@pytest.fixture
def sales(
    people: Path, phones: Phones, store: Store, a_worker: Callable[..., NotificationService]
) -> NotificationService:
    write(people, 3)
    return a_worker(dialect=phones, directory=FileDirectory(people, store))


def write(file: Path, members: int) -> None:
    phone = "devices: [{token: seller-#~1, platform: web}]"
    entry = f"  - {{id: seller-#, name: N, email: s#@x.test, zone: UTC, groups: [sales], {phone}}}\n"
    legal_desk = "  - {id: legal-desk, name: N, email: legal@x.test, zone: UTC}\n"
    file.write_text(f"people:\n{legal_desk}" + "".join(entry.replace("#", str(n)) for n in range(members)))


def make_question_delivery(**brief_fields: object) -> Delivery:
    subject = brief().replace(requester=SALES, **brief_fields)
    return Delivery(subject=subject, notices=(notice(SALES, "question-1", NoticeAction.OPEN),))


async def test_each_member_is_told_as_the_requester_and_the_group_has_a_line(
    sales: NotificationService, phones: Phones
) -> None:
    report = await sales.deliver(make_question_delivery())
    assert [(line.person, line.outcome) for line in report.delivered] == [
        *((f"seller-{n}", NotificationOutcome.ACCEPTED) for n in range(3)),
        (SALES, NotificationOutcome.ACCEPTED),
    ]
    assert {line.key for line in report.delivered} >= {f"msa-0042/question-1/{SALES}", "msa-0042/question-1/seller-0"}
    assert len({message.body for message in phones.sent.values()}) == 1


async def test_whoever_has_it_already_is_not_told_twice(sales: NotificationService, phones: Phones) -> None:
    question_delivery = make_question_delivery()
    question_delivery = question_delivery.replace(
        notices=tuple(order.replace(reached=("seller-0", "seller-1")) for order in question_delivery.notices)
    )
    report = await sales.deliver(question_delivery)
    assert set(phones.sent) == {"seller-2"}
    assert [line.person for line in report.delivered] == ["seller-2", SALES]


@pytest.mark.parametrize(
    ("brief_fields", "expected_people"),
    [
        ({"taken_by": "seller-1"}, {"seller-1"}),
        ({"taken_by": "seller-1", "notify_all": True}, {"seller-0", "seller-1", "seller-2"}),
        ({"taken_by": "somebody-who-left"}, {"seller-0", "seller-1", "seller-2"}),
    ],
)
async def test_who_has_taken_it_on_hears_alone(
    sales: NotificationService, phones: Phones, brief_fields: dict[str, object], expected_people: set[str]
) -> None:
    await sales.deliver(make_question_delivery(**brief_fields))
    assert set(phones.sent) == expected_people


async def test_one_who_cannot_be_reached_does_not_keep_it_from_the_group(
    sales: NotificationService, phones: Phones
) -> None:
    phones.lost = {"seller-0"}
    report = await sales.deliver(make_question_delivery())
    outcomes = {line.person: line.outcome for line in report.delivered}
    assert outcomes["seller-0"] is NotificationOutcome.FAILED
    assert outcomes[SALES] is NotificationOutcome.ACCEPTED
    phones.lost |= {"seller-1", "seller-2"}
    outcomes = {line.person: line.outcome for line in (await sales.deliver(make_question_delivery())).delivered}
    assert outcomes[SALES] is NotificationOutcome.FAILED


async def test_a_group_that_became_empty_is_somebody_who_is_not_in_the_directory(
    sales: NotificationService, people: Path, phones: Phones
) -> None:
    write(people, 0)
    [line] = (await sales.deliver(make_question_delivery())).delivered
    assert (line.person, line.outcome, line.why) == (SALES, NotificationOutcome.FAILED, "unknown_person")
    assert phones.sent == {}


@pytest.mark.long
async def test_of_a_group_that_grew_to_five_thousand_the_first_hundred_are_told(
    sales: NotificationService, people: Path, phones: Phones
) -> None:
    write(people, 5_000)
    reached_people, remaining = list[str](), make_question_delivery()
    while remaining.notices:
        report = await sales.deliver(remaining)
        reached_people += [line.person for line in report.final_lines if line.person != SALES]
        open_orders = [order for order in remaining.notices if order.key in report.open_notices]
        remaining = remaining.replace(
            notices=tuple(order.replace(reached=tuple(reached_people)) for order in open_orders)
        )
    assert reached_people == [f"seller-{n}" for n in range(TEAM_AT_MOST)]
    assert set(phones.sent) == set(reached_people)
