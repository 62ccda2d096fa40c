"""Of many requests of one start everybody hears once, and it is told before how much that is."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.keys import KeyRing
from activities.launch.request_file import PreparedRequest
from activities.notifications.links import SigningLinks
from activities.notifications.message import compose
from activities.people.reader import Reader
from activities.policies.cascade import ResolvedPolicy
from starter.cli import bulk_notice
from starter.cli.bulk_notice import NoticesOf
from tests.activities.book import make_person
from tests.servers import time_skipping
from tests.workflows import corpus
from tests.workflows.fakes import FakePushService, FakeSignatureService
from tests.workflows.stage import a_request
from workflows import names
from workflows.bulk_notice.workflow import BulkNoticeWorkflow
from workflows.model.notifications import Delivery
from workflows.model.policy import Policy, TellRequester
from workflows.model.subject import LockScreen, Participant

TOLD = Policy(tell_requester=TellRequester())


def make_prepared_request(
    id: str, requester: str = "legal-desk", policy: Policy = TOLD, **overrides: Any
) -> PreparedRequest:
    """A request of one start, of a signer of its own and then the chief executive."""
    people = (Participant(person="signer-1"), Participant(person="chief-executive", order=2))
    request = a_request()
    brief = request.brief.replace(id=id, requester=requester, people=people, **overrides)
    return PreparedRequest(request.replace(brief=brief, policy=policy), ResolvedPolicy(policy, (), {}), None, None)


def list_silenced(*requests: PreparedRequest) -> list[str]:
    """Which of them say nothing of their start to who asked for them."""
    joined_requests = bulk_notice.joined(requests)
    return [
        request.id
        for request in joined_requests
        if isinstance(request, PreparedRequest) and not request.request.policy.tell_requester.started
    ]


def test_only_of_several_to_the_same_person_none_says_so_itself() -> None:
    assert list_silenced(make_prepared_request("a")) == []
    assert list_silenced(
        make_prepared_request("a"), make_prepared_request("b"), make_prepared_request("c", requester="chair")
    ) == ["a", "b"]
    request = make_prepared_request("d", requester="chief-executive")
    assert list_silenced(request, request) == [], "whoever is asked is not told that it was sent"


def test_a_request_is_recognised_whether_it_was_one_of_several_or_not() -> None:
    first, _ = bulk_notice.joined([make_prepared_request("a"), make_prepared_request("b")])
    assert first.workflow_input.fingerprint == make_prepared_request("a").workflow_input.fingerprint


async def test_five_hundred_requests_are_one_notice_with_the_way_to_the_list() -> None:
    push = FakePushService(FakeSignatureService())
    async with time_skipping() as env:
        worker = Worker(
            env.client, task_queue=names.WORKFLOW_QUEUE, workflows=[BulkNoticeWorkflow], activities=[*push.activities()]
        )
        async with worker:
            sent = [make_prepared_request(f"nda-{n}") for n in range(500)]
            for _ in range(2):  # An answer that was lost.
                await bulk_notice.tell(env.client, sent)
            await handle_of(env.client, sent).result()
            await corpus.record("bulk-notice", handle_of(env.client, sent))
    (delivery,) = push.deliveries
    (notice,) = delivery.notices
    assert (notice.person, notice.count) == ("legal-desk", 500)
    assert message(delivery).title.replace("\u2068", "").replace("\u2069", "") == (
        "500 requests sent: Master services agreement"
    )
    assert message(delivery).link == "https://link.example/desk/asked"
    assert message(delivery).quiet


def handle_of(client: Client, sent: list[PreparedRequest]):  # type: ignore[no-untyped-def]
    """The workflow that tells of these."""
    delivery = bulk_notice._delivery("legal-desk", sent)
    return client.get_workflow_handle_for(BulkNoticeWorkflow.run, names.bulk_notice_workflow_id(delivery.subject.id))


def message(delivery: Delivery):  # type: ignore[no-untyped-def]
    """What a phone shows."""
    links = SigningLinks("https://link.example", KeyRing([SecretStr("l" * 32)]))
    return compose(delivery, delivery.notices[0], Reader.from_person(make_person("legal-desk")), links)


@pytest.mark.parametrize(
    "difference", [{"lock_screen": LockScreen.GENERIC}, {"title": "Another"}], ids=["hidden", "of another document"]
)
def test_what_is_not_the_same_of_all_is_not_named(difference: dict[str, Any]) -> None:
    delivery = bulk_notice._delivery(
        "legal-desk", [make_prepared_request("a"), make_prepared_request("b", **difference)]
    )
    assert message(delivery).title == "2 requests sent"


def test_a_dry_run_counts_what_each_person_gets_most_first() -> None:
    quiet = TOLD.replace(tell_requester=TellRequester(started=False, signed=False))
    requests = [make_prepared_request("a"), make_prepared_request("b"), make_prepared_request("c", policy=quiet)]
    assert bulk_notice.notices(requests) == [
        NoticesOf(person="chief-executive", later=3),
        NoticesOf(person="legal-desk", at_once=1, later=2),
        NoticesOf(person="a/signer-1", at_once=1),
        NoticesOf(person="b/signer-1", at_once=1),
        NoticesOf(person="c/signer-1", at_once=1),
    ]


async def test_a_push_service_that_is_away_is_asked_again_a_few_times_and_then_no_more() -> None:
    push = FakePushService(FakeSignatureService())
    push.failures = [ApplicationError("away", type="unreachable", non_retryable=True)] * 3
    async with time_skipping() as env:
        worker = Worker(
            env.client, task_queue=names.WORKFLOW_QUEUE, workflows=[BulkNoticeWorkflow], activities=[*push.activities()]
        )
        async with worker:
            sent = [make_prepared_request("a"), make_prepared_request("b")]
            await bulk_notice.tell(env.client, sent)
            await env.sleep(timedelta(minutes=5))
            assert (await handle_of(env.client, sent).describe()).status is WorkflowExecutionStatus.COMPLETED
    assert [len(delivery.notices) for delivery in push.deliveries] == [1] * 4
