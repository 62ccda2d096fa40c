"""Deals that a CRM sends: each begins one onboarding, whatever is sent again, late, altered, forged or broken."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.metrics import ExportingProcess
from activities.records.user_texts import words_of
from activities.temporal import executions as runs
from starter.web.http.bodies import HELD_AT_MOST, MOST_BYTES, MOST_KEYS, SMALL
from starter.web.intake import hooks as changed
from starter.web.intake import hooks as receiver
from starter.web.intake.hook_mapping import DEAL_AT_MOST
from tests.faults.town import eventually
from tests.metering import metered
from tests.servers import own_namespace, real_server
from tests.starter.web.hooking import BEARER, DEAL, PATH, Crm, contact, crm, deal, make_hooks
from tests.starter.web.receiving import StallingRequests
from tests.starter.web.test_callback_fuzz import ODD
from tests.starter.web.test_webhook import exchange_bytes
from tests.workflows.onboarding.stage import OWNER, PEOPLE, SET_UP, a_file, start_onboarding
from workflows.kinds import Kind
from workflows.model.commands import Cancellation
from workflows.names import PARENT, REQUESTER

pytestmark = pytest.mark.real_server

ACME = "customer-onboarding:crm-4711"
CREATED = (201, {"outcome": "created", "id": "crm-4711", "created": True})
KNOWN = (200, {"outcome": "known", "id": "crm-4711", "created": False})
CHANGED = (409, {"outcome": "other_content", "id": "crm-4711"})


@pytest.fixture
async def client(dev_server: str) -> Client:
    return await own_namespace(dev_server)


@pytest.fixture
async def sales(client: Client, tmp_path: Path) -> AsyncIterator[Crm]:
    async with crm(tmp_path, client) as source:
        yield source


async def tasks(client: Client, count: int, begin: str = "task:") -> list[runs.Run]:
    """The tasks that were started, once visibility knows of so many."""

    async def find_tasks() -> list[runs.Run] | None:
        listed = [run async for run in runs.listed(client, f"WorkflowId STARTS_WITH '{begin}'")]
        return listed if len(listed) == count else None

    return await eventually(find_tasks)


async def read_task_input(client: Client, task: str) -> dict[str, Any]:
    """What a task was started from."""
    start_event = await anext(aiter(client.get_workflow_handle(task).fetch_history_events()))
    workflow_input = start_event.workflow_execution_started_event_attributes.input
    [start_input] = await client.data_converter.decode(workflow_input.payloads)
    task_input: dict[str, Any] = start_input["task"]
    return task_input


async def read_text(client: Client, sales: Crm, task: str) -> str:
    """What a task says."""
    return await words_of(sales.store, task, (await read_task_input(client, task))["text"])


@pytest.mark.long
async def test_a_deal_begins_one_onboarding_however_often_and_late_it_is_sent(client: Client, sales: Crm) -> None:
    lost = {**DEAL, "event": "deal.lost"}
    first, *later_answers = [
        await sales.sends(body) for body in (DEAL, DEAL, lost, deal(amount=1, stage="closed"), DEAL)
    ]
    assert first == CREATED
    assert later_answers == [KNOWN, (200, {"outcome": "ignored"}), KNOWN, KNOWN]
    description = await runs.described(client, ACME)
    assert description.search_attributes.get(REQUESTER) == "account-executive"
    assert await sales.sends(deal(id="4712")) == (201, {"outcome": "created", "id": "crm-4712", "created": True})


@pytest.mark.long
async def test_fifty_calls_at_once_are_one_onboarding(sales: Crm) -> None:
    answers = await asyncio.gather(*(sales.sends(DEAL) for _ in range(50)))
    assert sorted(status for status, _ in answers) == [200] * 49 + [201]


async def test_other_content_is_refused_and_its_owner_is_asked_once_for_each(client: Client, sales: Crm) -> None:
    changed_deal, third = deal(company="Acme Ltd"), contact(email="zoe@elsewhere.example")
    answers = [await sales.sends(body) for body in (DEAL, changed_deal, changed_deal, third, DEAL, changed_deal)]
    assert answers == [CREATED, CHANGED, CHANGED, CHANGED, KNOWN, CHANGED]
    task_runs = await tasks(client, 2)
    assert {run.search_attributes.get(PARENT) for run in task_runs} == {ACME}
    assert all(run.id.startswith("task:crm-4711.changed-") for run in task_runs)
    described = await runs.described(client, task_runs[0].id)
    assert await described.summary() == "onboarding-decision: Decide: crm-4711 has changed in crm"
    task = await read_task_input(client, task_runs[0].id)
    assert [person["person"] for person in task["people"]] == ["account-executive"]
    text = await read_text(client, sales, task_runs[0].id)
    assert text.startswith("Deal 4711 of crm sent other content than this onboarding was started from, or what crm")
    assert text.endswith(
        "goes on as it was started.\n\nPlease look at the deal, and at the page of crm-4711 at the desk."
    )


async def test_a_deal_is_known_and_its_owner_asked_after_somebody_whom_it_names_has_left(
    client: Client, sales: Crm, tmp_path: Path
) -> None:
    assert await sales.sends(DEAL) == CREATED
    stayed = [person for person in PEOPLE if person["id"] != "operations-desk"]
    (tmp_path / "people.yaml").write_text(json.dumps({"people": stayed}))
    changed_deal = deal(company="Acme Ltd")
    assert [await sales.sends(body) for body in (DEAL, changed_deal, changed_deal, DEAL)] == [
        KNOWN,
        CHANGED,
        CHANGED,
        KNOWN,
    ]
    [run] = await tasks(client, 1)
    task = await read_task_input(client, run.id)
    assert ([person["person"] for person in task["people"]], task["requester"]) == ([OWNER], "chair")
    assert await sales.sends(deal(id="4712")) == (422, {"outcome": "refused", "fields": ["teams"]})


@pytest.mark.long
async def test_the_owner_hears_on_their_phone_that_a_deal_has_changed(tmp_path: Path) -> None:
    async with (
        start_onboarding(tmp_path, a_file(SET_UP), server=real_server()) as town,
        crm(tmp_path, town.client) as source,
    ):
        answers = [await source.sends(body) for body in (DEAL, deal(company="Acme Ltd"), deal(company="Acme Ltd"))]
        assert answers == [CREATED, CHANGED, CHANGED]
        [task] = await tasks(town.client, 1, "task:crm-4711.changed-")
        await town.wait_until_notified(task.id, "ready", OWNER)
    assert town.notices_of(task.id).count(("ready", OWNER)) == 1


async def test_the_owner_of_a_deal_with_the_longest_id_is_asked_as_well(client: Client, sales: Crm) -> None:
    longest = "x" * DEAL_AT_MOST
    answers = [await sales.sends(body) for body in (deal(id=longest), deal(id=longest, company="Acme Ltd"))]
    assert [status for status, _ in answers] == [201, 409]
    [run] = await tasks(client, 1)
    assert longest in await read_text(client, sales, run.id)


@pytest.mark.long
async def test_of_an_onboarding_that_has_ended_nobody_reads_that_it_goes_on(tmp_path: Path) -> None:
    async with (
        start_onboarding(tmp_path, a_file(SET_UP), server=real_server()) as town,
        crm(tmp_path, town.client) as source,
    ):
        assert await source.sends(DEAL) == CREATED
        await town.send_command_to(ACME, Cancellation(actor=OWNER, reason="They went elsewhere."))
        await town.client.get_workflow_handle(ACME).result()
        assert await source.sends(deal(company="Acme Ltd")) == CHANGED
        [task] = await tasks(town.client, 1, "task:crm-4711.changed-")
        text = await read_text(town.client, source, task.id)
    assert "The onboarding has ended, and nothing of it changes." in text


@pytest.mark.long
async def test_of_a_deal_that_changes_without_end_only_so_much_is_told(
    client: Client, sales: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changed, "TOLD_AT_MOST", 2)
    assert await sales.sends(DEAL) == CREATED
    for number in (1, 2):
        assert await sales.sends(deal(company=f"Acme {number}")) == CHANGED
        await tasks(client, number)
    assert [await sales.sends(deal(company=f"Acme {number}")) for number in range(3, 23)] == [CHANGED] * 20
    assert await sales.sends(DEAL) == KNOWN
    await tasks(client, 2)


async def test_one_that_was_terminated_is_no_success_and_not_begun_anew(client: Client, sales: Crm) -> None:
    assert await sales.sends(DEAL) == CREATED
    await client.get_workflow_handle(ACME).terminate()
    assert await sales.sends(DEAL) == (409, {"outcome": "broken_off", "id": "crm-4711"})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b'{"a": NaN}', "not JSON"),
        (b"[" * 330, "too deep"),
        (b"[" + b"1," * 200_000 + b"1]", "too many values"),
        (json.dumps(dict.fromkeys(range(10 * MOST_KEYS // 4))).encode(), "too many keys"),
    ],
    ids=["nothing", "half", "utf-16", "nan", "deep", "crowded", "keys"],
)
async def test_what_is_no_json_is_malformed(sales: Crm, body: bytes, message: str) -> None:
    assert await sales.sends(body) == (400, {"outcome": "malformed", "says": message})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"event": "deal.won"}, "deal.id is missing: it is the id of the deal"),
        (deal(id=None), "deal.id is missing: it is the id of the deal"),
        (deal(id=" "), "deal.id is missing: it is the id of the deal"),
        (deal(id={"a": 1}), "deal.id is no text"),
        (deal(id="x" * 10 * DEAL_AT_MOST), "deal.id is longer than 200 characters"),
        (deal(company="x" * 40_000), "deal.company is longer than 4,000 characters"),
        (deal(company="\u202ecmA"), "deal.company contains U+202E RIGHT-TO-LEFT OVERRIDE, which is not allowed"),
        (deal(company="\ud800"), "deal.company contains U+D800 LONE SURROGATE, which is not allowed"),
        (contact(name=["Zoë"]), "contacts[0].name is no text"),
    ],
)
async def test_a_deal_that_cannot_be_taken_is_told_by_the_path(sales: Crm, body: Any, message: str) -> None:
    assert await sales.sends(body) == (400, {"outcome": "not_taken", "says": message})


@pytest.mark.parametrize("body", [[], [DEAL], "deal.won", 7, None, {}, {"event": "deal.won\n"}, {**DEAL, "event": []}])
async def test_json_of_another_shape_passes_by(sales: Crm, body: Any) -> None:
    assert await sales.sends(body) == (200, {"outcome": "ignored"})


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (deal(owner="nobody-here"), ["teams"]),
        (deal(owner="signer-1"), ["teams"]),
        (deal(owner="x" * 3_000), ["teams.sales"]),
        (contact(email="zoe at acme"), ["customer.email"]),
        (contact(email=None, name=""), ["customer"]),
        (contact(timezone="Mars/Olympus", language="xx-yy-zz"), ["customer.zone", "customer.locale"]),
        ({**DEAL, "contacts": []}, ["customer"]),
        (deal(company="a\nb"), ["customer.company"]),
        (deal(company="x" * 2_000), ["customer.company"]),
    ],
)
async def test_what_is_wrong_is_told_by_fields_and_without_values(
    client: Client, sales: Crm, body: Any, fields: list[str]
) -> None:
    with capture_logs() as logs:
        assert await sales.sends(body) == (422, {"outcome": "refused", "fields": fields})
    assert logs == []
    with pytest.raises(Exception, match="not found"):
        await runs.described(client, ACME)


async def test_what_a_stranger_sends_is_refused(sales: Crm) -> None:
    assert await sales.sends(DEAL, {}) == (401, {"outcome": "forged"})
    assert await sales.sends(DEAL, {"authorization": "Bearer something-else-entirely"}) == (401, {"outcome": "forged"})
    assert await sales.sends(b"{", {"x-signature": "0" * 64}) == (401, {"outcome": "forged"})
    for path in ("/hooks/onboarding/erp", "/hooks/onboarding/..%2Fcrm", "/hooks/onboarding/CRM"):
        assert (await sales.http.post(path, content=b"{}", headers=BEARER)).status_code == 404
    assert (await sales.http.get("/hooks/onboarding/crm")).status_code == 405


@pytest.mark.parametrize("size", [MOST_BYTES + 1, 5_000_000, 10 * MOST_BYTES])
async def test_a_body_that_is_too_large_is_refused(sales: Crm, size: int) -> None:
    assert await sales.sends(json.dumps(DEAL).encode().ljust(size)) == (413, {"outcome": "too_large"})


async def test_the_largest_body_is_read(sales: Crm) -> None:
    assert await sales.sends(json.dumps(DEAL).encode().ljust(MOST_BYTES)) == CREATED


async def test_bodies_of_strangers_share_a_bound_and_small_deals_have_room_beside_them(
    client: Client, tmp_path: Path
) -> None:
    """Ten times as much as is held comes to no end."""
    hooks, strangers = make_hooks(tmp_path, client, body_seconds=300), StallingRequests({"source": "crm"}, {})
    source = StallingRequests({"source": "crm"}, BEARER)
    deal_body, crowd = json.dumps(DEAL).encode(), 10 * HELD_AT_MOST // MOST_BYTES
    calls = [
        asyncio.create_task(hooks.answer(strangers.make_stalling_request(b" " * (MOST_BYTES - 1))))
        for _ in range(crowd)
    ]
    await strangers.wait_until_stalled(crowd)
    for body, status in ((deal_body.ljust(MOST_BYTES), 503), (deal_body, 201)):
        assert (await hooks.answer(source.make_whole_request(body))).status_code == status
    strangers.gate.set()
    held_count = HELD_AT_MOST // (MOST_BYTES - 1 - SMALL)
    answers = Counter([answer.status_code for answer in await asyncio.gather(*calls)])
    assert answers == {401: held_count, 503: crowd - held_count}
    assert (await hooks.answer(source.make_whole_request(deal_body.ljust(MOST_BYTES)))).status_code == 200


@pytest.mark.long
async def test_six_hundred_stalled_calls_without_a_secret_shut_nobody_out(client: Client, tmp_path: Path) -> None:
    """A signature covers the body, so that nobody knows yet that they are no source."""
    hooks, strangers = make_hooks(tmp_path, client, body_seconds=300), StallingRequests({"source": "crm"}, {})
    source = StallingRequests({"source": "crm"}, BEARER)
    crowd = receiver.CALLS_AT_ONCE + 100
    calls = [asyncio.create_task(hooks.answer(strangers.make_stalling_request(b""))) for _ in range(crowd)]
    await strangers.wait_until_stalled(crowd)
    deals = [hooks.answer(source.make_whole_request(json.dumps(deal(id=number)).encode())) for number in range(22)]
    assert {answer.status_code for answer in await asyncio.gather(*deals)} == {201}
    assert not any(call.done() for call in calls)
    strangers.gate.set()
    assert {answer.status_code for answer in await asyncio.gather(*calls)} == {401}


async def test_beyond_what_is_taken_at_the_same_time_the_source_is_asked_to_call_again(
    sales: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "CALLS_AT_ONCE", 2)
    answers = await asyncio.gather(*(sales.sends(DEAL) for _ in range(20)))
    assert {status for status, _ in answers} == {200, 201, 503}
    assert await sales.sends(DEAL) == KNOWN


@pytest.mark.long
async def test_ten_times_the_deals_that_are_begun_at_once_are_all_begun(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "STARTS_AT_ONCE", 2)
    async with crm(tmp_path, client) as source:
        answers = await asyncio.gather(*(source.sends(deal(id=number)) for number in range(20)))
    assert {status for status, _ in answers} == {201}
    assert len({answer["id"] for _, answer in answers}) == 20


async def test_calls_that_stall_hold_up_no_genuine_one(sales: Crm) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n".encode()
    stalled = [asyncio.create_task(exchange_bytes(sales.http, head)) for _ in range(100)]
    assert await sales.sends(DEAL) == CREATED
    assert not any(call.done() for call in stalled)
    assert {answer[9:12] for answer in await asyncio.gather(*stalled)} == {b"400"}


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:60])
async def test_whatever_stands_in_a_place_is_no_fault_of_ours(tmp_path: Path, odd: Any) -> None:
    """Temporal is away, so that what is right is told apart: it is to be sent again."""
    nobody = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    fields = ("id", "company", "owner")
    bodies = [
        odd,
        {**DEAL, "deal": odd},
        {**DEAL, "contacts": odd},
        {**DEAL, "contacts": [odd]},
        {**DEAL, "event": odd},
    ]
    bodies += [*(deal(**{field: odd}) for field in fields), *(contact(**{field: odd}) for field in DEAL["contacts"][0])]
    async with crm(tmp_path, nobody) as source:
        answers = [await source.sends(body) for body in bodies]
    assert {status for status, _ in answers} <= {200, 400, 422, 503}


async def test_while_temporal_is_away_the_source_is_asked_to_call_again(tmp_path: Path) -> None:
    nobody = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    async with crm(tmp_path, nobody) as source:
        with capture_logs() as logs:
            assert await source.sends(DEAL) == (503, {"outcome": "not_started"})
            (tmp_path / "people.yaml").write_text("people: [")
    assert [(entry["event"], entry["onboarding"]) for entry in logs] == [("onboarding not started", "crm-4711")]
    assert "zoe" not in str(logs).lower()


async def test_calls_are_counted_by_answer(client: Client, tmp_path: Path) -> None:
    with metered(ExportingProcess.WEB) as counted:
        async with crm(tmp_path, client) as source:
            calls: list[tuple[Any, dict[str, str]]] = [(DEAL, BEARER), (DEAL, BEARER), (deal(company="x"), BEARER)]
            calls += [(DEAL, {}), (b"{", BEARER)]
            for body, headers in calls:
                await source.sends(body, headers)
        answers = {series[1]: count for series, count in counted.counts().items() if series[0] == "countersign_hooks"}
    assert answers == {"created": 1, "known": 1, "other_content": 1, "forged": 1, "malformed": 1}


async def test_nothing_of_people_is_in_answers_and_ids(sales: Crm) -> None:
    wrong = {**deal(id="4713"), "contacts": contact(email="zoe at acme")["contacts"]}
    sent = [DEAL, deal(company="Acme Ltd"), wrong, deal(id="zoe@acme.example"), b"{"]
    with capture_logs() as logs:
        answers = [await sales.sends(body) for body in sent]
    assert [status for status, _ in answers] == [201, 409, 422, 201, 400]
    text = " ".join(sales.answers).lower() + str(logs).lower()
    assert "zoe" not in text and "acme" not in text
    assert Kind.ONBOARDING.workflow_id(answers[3][1]["id"]).startswith("customer-onboarding:crm-_")
