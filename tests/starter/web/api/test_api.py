"""The API: the starts, commands and refusals of the command line, for whoever has a right to them."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.documents.files import SIGNED
from activities.evidence.erasure import remove_due
from activities.records.allowances import Rate
from activities.records.evidence import SignedDocument, SignedFile
from starter.web.api import door
from starter.web.api.api import LINES_AT_MOST, ROOT
from starter.web.api.starting import BASE64_AT_MOST
from starter.web.http.bodies import MOST_KEYS
from tests.activities.evidence.kept import AT, MSA, keep_signed_request
from tests.faults.town import eventually
from tests.golden.schemas import validator
from tests.servers import own_namespace
from tests.starter.web.api.program import PDF, UNBOUND, Program, a_task, an_offer, program
from tests.starter.web.issuing import open_issuer
from tests.starter.web.test_callback_fuzz import ODD
from tests.storage import take_table_away
from tests.workflows.fakes import World
from tests.workflows.stage import workers

pytestmark = pytest.mark.real_server
MEGABYTE = 1024 * 1024
ROOT_OF_ALL = Path(__file__).parents[4]


@pytest.fixture
async def client(dev_server: str) -> Client:
    return await own_namespace(dev_server)


@pytest.fixture
async def crm(client: Client, tmp_path: Path) -> AsyncIterator[Program]:
    async with program(tmp_path, client) as running_program:
        yield running_program


@pytest.mark.long
async def test_a_start_is_made_once_and_read(crm: Program) -> None:
    answers = [await crm.calls("POST", "/requests", an_offer(id="offer-1")) for _ in range(2)]
    ids = {"id": "offer-1", "workflow_id": "signature-request:offer-1"}
    assert answers == [(201, {**ids, "created": True}), (200, {**ids, "created": False})]
    status, problem = await crm.calls("POST", "/requests", an_offer(id="offer-1", message="Hello"))
    assert (status, problem["type"], problem["field"]) == (409, "urn:countersign:refused", "id")
    status, view = await crm.calls("GET", "/requests/offer-1")
    assert (status, view["id"], view["requester"], view["partial"]) == (200, "offer-1", "ada", True)
    status, unnamed = await crm.calls("POST", "/requests", an_offer(message="Hello"))
    assert (status, unnamed["id"][:13]) == (201, "offer-letter-")


@pytest.mark.long
async def test_two_who_press_send_at_once_start_one(crm: Program) -> None:
    answers = await asyncio.gather(*(crm.calls("POST", "/requests", an_offer(id="offer-1")) for _ in range(20)))
    assert sorted(status for status, _ in answers) == [200] * 19 + [201]


@pytest.mark.long
async def test_commands_are_made_once_and_told_with_who_it_was(crm: Program) -> None:
    async with workers(crm.context.client, World()):
        await crm.calls("POST", "/tasks", a_task(id="account"))
        first = await crm.calls("POST", "/tasks/account/pause", {"reason": "Holidays"}, key="pause-1")
        repeated = await crm.calls("POST", "/tasks/account/pause", {"reason": "Holidays"}, key="pause-1")
        assert first[0] == 200 and first == repeated
        refusal = await crm.calls("POST", "/tasks/account/pause", {"reason": "Another"}, key="pause-1")
        assert (refusal[0], refusal[1]["type"]) == (409, "urn:countersign:refused")
        assert "Idempotency-Key" in refusal[1]["detail"]
        refusal = await crm.calls("POST", "/tasks/account/resume", key="pause-1")
        assert (refusal[0], "Idempotency-Key" in refusal[1]["detail"]) == (409, True)
        hr_token = await crm.make_token("hr", "change")
        refusal = await crm.calls("POST", "/tasks/account/pause", {"reason": "Holidays"}, key="pause-1", token=hr_token)
        assert (refusal[0], "was paused by token:crm already" in refusal[1]["detail"]) == (409, True), (
            "their key names their own change"
        )
        status, problem = await crm.calls("POST", "/tasks/account/remind", {})
        assert (status, "resume it first" in problem["detail"]) == (409, True)
        assert (await crm.calls("POST", "/tasks/account/resume"))[0] == 200
        status, receipt = await crm.calls("POST", "/tasks/account/waive", {"reason": "Not needed"})
        assert (status, receipt["state"]) == (200, "done")
        _, view = await crm.calls("GET", "/tasks/account")
        timeline = [(entry["happened"], entry["who"], entry["actor"]) for entry in view["timeline"]]
        assert {("started", "ada", "token:crm"), ("paused", "token:crm", "token:crm")} <= set(timeline)
        late, _ = await crm.calls("POST", "/tasks/account/pause", {"reason": "Late"})
        assert late == 409


@pytest.mark.long
async def test_a_command_that_is_recorded_only_says_so(crm: Program) -> None:
    async with workers(crm.context.client, World()):
        await crm.calls("POST", "/requests", an_offer(id="offer-1"))
        status, receipt = await crm.calls("POST", "/requests/offer-1/cancel", {"reason": "Filled"})
        assert (status, receipt["state"]) in ((200, "done"), (202, "open"))


@pytest.mark.long
async def test_lists_are_read_page_by_page_with_the_filters_of_the_desk(crm: Program) -> None:
    for number in range(5):
        await crm.calls("POST", "/tasks", a_task(id=f"account-{number}"))

    async def listed() -> list[str] | None:
        ids, cursor = list[str](), None
        while True:
            query = {"limit": 2, "kind": "team-task", "requester": "ada"} | ({"cursor": cursor} if cursor else {})
            status, page = await crm.calls("GET", "/tasks", params=query)
            assert status == 200 and len(page["lines"]) <= 2
            ids += [line["id"] for line in page["lines"]]
            if (cursor := page["cursor"]) is None:
                return ids if len(ids) == 5 else None

    assert sorted(await eventually(listed)) == [f"account-{number}" for number in range(5)]
    for query in ({"limit": 10 * LINES_AT_MOST}, {"status": "asleep"}, {"unheard": "of"}, {"cursor": "x"}):
        status, problem = await crm.calls("GET", "/tasks", params=query)
        assert (status, problem["status"]) == (422, 422)


@pytest.mark.long
async def test_onboardings_and_campaigns_are_started_as_well(crm: Program) -> None:
    agreement = {"id": "nda", "kind": "nda", "document": an_offer()["document"], "signers": [{"person": "customer"}]}
    onboarding = {
        "id": "acme",
        "customer": {"name": "Acme", "person": "zoe"},
        "owner": "ada",
        "stages": [{"name": "agreements", "agreements": [agreement]}],
    }
    campaign = {
        "id": "conduct",
        "kind": "nda",
        "document": {**an_offer()["document"], "version": "1"},
        "audience": {"file": "staff.csv"},
        "owner": "ada",
    }
    parts = {"start": (None, json.dumps(campaign)), "audience": ("staff.csv", b"person\nbob\nzoe\n")}
    assert (await crm.calls("POST", "/onboardings/plan", onboarding))[0] == 200
    assert (await crm.calls("POST", "/campaigns/plan", files=parts))[1]["who"]["asked"] == 2
    for path, options in (("/onboardings", {"body": onboarding}), ("/campaigns", {"files": parts})):
        answers = [await crm.calls("POST", path, **options) for _ in range(2)]
        assert [status for status, _ in answers] == [201, 200], answers
    for path in ("/onboardings/acme", "/campaigns/conduct"):
        status, view = await crm.calls("GET", path)
        assert (status, view["requester"]) == (200, "ada")
    agreement["document"] = {"base64": "%", "name": "NDA"}
    status, problem = await crm.calls("POST", "/onboardings", onboarding)
    assert (status, problem["field"]) == (422, "stages[0].agreements[0].document.base64")
    status, problem = await crm.calls("POST", "/campaigns", campaign)
    assert (status, problem["field"]) == (422, "audience.file")


async def test_beyond_what_is_answered_at_once_a_caller_is_to_call_again(
    crm: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    pdf = {"content-type": "application/pdf"}
    monkeypatch.setattr(door, "UPLOADS_AT_ONCE", 2)
    uploads = asyncio.gather(*(crm.calls("POST", "/documents", PDF, headers=pdf) for _ in range(20)))
    assert {status for status, _ in await uploads} <= {201, 429}
    monkeypatch.setattr(door, "UPLOADS_AT_ONCE", 0)
    answer = await crm.asks("POST", "/documents", PDF, headers=pdf)
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) > 0
    monkeypatch.setattr(door, "CALLS_AT_ONCE", 0)
    assert (await crm.calls("GET", "/requests"))[0] == 429


async def test_a_key_that_is_given_twice_is_refused(crm: Program) -> None:
    doubled = json.dumps(a_task(id="account"))[:-1] + ', "title": "Another"}'
    for answer in (
        await crm.calls("POST", "/tasks", doubled.encode()),
        await crm.calls("POST", "/tasks", files={"start": (None, doubled)}),
        await crm.calls("POST", "/tasks/account/pause", b'{"reason": "Holidays", "reason": "Prices"}'),
    ):
        assert (answer[0], answer[1]["detail"].endswith(" is given twice")) == (400, True)
    deep = json.dumps(a_task(who={"person": "bob"})).replace('"bob"', '"bob", "person": "zoe"')
    assert (await crm.calls("POST", "/tasks", deep.encode()))[1]["detail"] == '"person" is given twice'


async def test_nobody_takes_the_id_of_a_part_or_member(crm: Program) -> None:
    for id in ("acme.1.1", "conduct.bob"):
        for path, body in (("/tasks", a_task(id=id)), ("/requests", an_offer(id=id)), ("/tasks/plan", a_task(id=id))):
            status, problem = await crm.calls("POST", path, body)
            assert (status, problem["field"]) == (422, "id")


async def test_only_a_member_takes_on_what_a_group_asks_for(crm: Program) -> None:
    async with workers(crm.context.client, World()):
        await crm.calls("POST", "/tasks", a_task(id="account", owner={"group": "operators"}))
        status, problem = await crm.calls("POST", "/tasks/account/take", {"person": "bob"})
        assert (status, "bob is not a member of the group operators" in problem["detail"]) == (409, True)
        assert (await crm.calls("POST", "/tasks/account/take", {"person": "olga"}))[0] == 200
        await crm.calls("POST", "/tasks", a_task(id="single"))
        status, problem = await crm.calls("POST", "/tasks/single/take", {"person": "bob"})
        assert (status, "not a member" in problem["detail"]) == (409, False)


@pytest.mark.long
async def test_an_archive_without_a_path_has_its_default(crm: Program) -> None:
    archive = {"target": "vault", "archive": {"url": "file:///archive"}}
    offer = an_offer(id="offer-1", policy={"handoff": [archive]})
    assert (await crm.calls("POST", "/requests", offer))[0] == 201


async def test_a_plan_starts_nothing(crm: Program) -> None:
    status, plan = await crm.calls("POST", "/requests/plan", an_offer(id="offer-1"))
    assert (status, plan["id"]) == (200, "offer-1") and plan["branches"]
    assert (await crm.calls("GET", "/requests/offer-1"))[0] == 404


async def test_all_that_is_wrong_is_told_by_its_field_without_lines(crm: Program) -> None:
    wrong = an_offer(kind="ofer-letter", signers=[{"person": "nobody"}], unheard="of")
    status, problem = await crm.calls("POST", "/requests", wrong)
    assert status == 422
    assert {error["field"] for error in problem["errors"]} >= {"kind", "signers[0].person", "unheard"}
    assert "did you mean offer-letter" in problem["errors"][0]["says"] + json.dumps(problem)
    for document, field in (
        ({"base64": "%", "name": "Offer"}, "document.base64"),
        ({"base64": ""}, "document.name"),
        ({"base64": "", "name": "Offer"}, "document.base64"),
        ({"sha256": "0" * 64, "name": "Offer"}, "document.sha256"),
        ({"file": "offer.pdf"}, "document.file"),
        ({"file": "offer.pdf", "base64": ""}, "document.base64"),
        ({"base64": "A" * (2 * BASE64_AT_MOST - 400_000), "name": "Offer"}, "document.base64"),
    ):
        status, problem = await crm.calls("POST", "/requests", an_offer(document=document))
        assert (status, problem["field"]) == (422, field)


async def test_of_thousands_of_unknown_keys_a_hundred_are_reported_and_more_are_refused_unread(crm: Program) -> None:
    status, problem = await crm.calls("POST", "/requests", an_offer(**{f"key{n}": 1 for n in range(MOST_KEYS - 20)}))
    assert (status, len(problem["errors"])) == (422, 100)
    assert sum("known are" in error["says"] for error in problem["errors"]) <= 10
    start = json.dumps(an_offer(**{f"key{n}": 1 for n in range(19_000)}))
    for body in ({"body": start.encode()}, {"files": {"start": (None, start)}}):
        status, problem = await crm.calls("POST", "/requests", **body)
        assert (status, problem["detail"]) == (400, "too many keys")


@pytest.mark.long
async def test_a_document_comes_as_a_part_or_was_uploaded_before(crm: Program) -> None:
    offer = an_offer(id="by-part", document={"file": "offer.pdf"})
    parts = {"start": (None, json.dumps(offer)), "document": ("offer.pdf", PDF)}
    assert (await crm.calls("POST", "/requests", files=parts))[0] == 201
    only_the_json = {"start": (None, json.dumps(offer)), "document": ("other.pdf", PDF)}
    status, problem = await crm.calls("POST", "/requests", files=only_the_json)
    assert (status, problem["field"]) == (422, "document.file")
    status, problem = await crm.calls("POST", "/requests", files={"document": ("offer.pdf", PDF)})
    assert (status, problem["field"]) == (422, "start")
    pdf = {"content-type": "application/pdf"}
    status, uploaded = await crm.calls("POST", "/documents", PDF, headers=pdf)
    assert (status, uploaded["size"]) == (201, len(PDF))
    by_hash = an_offer(id="by-hash", document={"sha256": uploaded["sha256"], "name": "Offer"})
    assert (await crm.calls("POST", "/requests", by_hash))[0] == 201
    for size, expected in ((20, 201), (21, 422), (23, 413)):
        content = PDF + b" " * (size * MEGABYTE - len(PDF))
        assert (await crm.calls("POST", "/documents", content, headers=pdf))[0] == expected
    assert (await crm.calls("POST", "/documents", b"no PDF", headers=pdf))[0] == 422


@pytest.mark.long
async def test_start_refuses_a_hash_the_caller_never_uploaded(crm: Program) -> None:
    pdf = {"content-type": "application/pdf"}
    _, uploaded = await crm.calls("POST", "/documents", PDF, headers=pdf)
    by_hash = an_offer(id="stolen", document={"sha256": uploaded["sha256"], "name": "Offer"})
    unknown = an_offer(id="stolen", document={"sha256": "0" * 64, "name": "Offer"})
    starter, reader = await crm.make_token("starter", "start"), await crm.make_token("reader", "start", "read@ada")
    for path in ("/requests", "/requests/plan"):
        refused = [await crm.asks("POST", path, body, token=starter) for body in (by_hash, unknown)]
        assert [answer.status_code for answer in refused] == [422, 422]
        assert refused[0].content == refused[1].content
    assert (await crm.calls("POST", "/requests", by_hash, token=reader))[0] == 422, "nothing has it that they may read"
    assert (await crm.calls("POST", "/requests", {**by_hash, "id": "offer-1"}))[0] == 201
    assert (await crm.calls("POST", "/requests", {**by_hash, "id": "offer-2"}, token=reader))[0] == 201
    assert (await crm.calls("POST", "/requests", by_hash, token=starter))[0] == 422
    assert (await crm.calls("POST", "/documents", PDF, headers=pdf, token=starter))[0] == 201
    assert (await crm.calls("POST", "/requests", by_hash, token=starter))[0] == 201


async def test_revise_refuses_a_hash_the_caller_never_uploaded(crm: Program) -> None:
    _, uploaded = await crm.calls("POST", "/documents", PDF, headers={"content-type": "application/pdf"})
    await crm.calls("POST", "/requests", an_offer(id="offer-1", reviewers=[{"person": "zoe"}], message="Hello"))
    reviser = await crm.make_token("reviser", "change")
    bodies = [{"sha256": sha256} for sha256 in (uploaded["sha256"], "0" * 64)]
    refused = [await crm.calls("POST", "/requests/offer-1/revise", body, token=reviser) for body in bodies]
    assert refused[0] == refused[1] and refused[0][0] == 422


async def test_a_signed_document_is_there_until_its_retention_is_over(crm: Program) -> None:
    store, path = crm.context.store, f"/requests/{MSA.id}/document"
    await keep_signed_request(store)
    assert (await crm.asks("GET", path)).status_code == 404
    file = SignedFile(await store.files.put(PDF, SIGNED), len(PDF))
    await store.evidence.keep_signed(MSA.workflow_id, SignedDocument(file, keep_until=AT), AT)
    answer = await crm.asks("GET", path)
    assert (answer.status_code, answer.content) == (200, PDF)
    await remove_due(store, AT + timedelta(days=1))
    status, problem = await crm.calls("GET", path)
    assert (status, "the signed document was removed" in json.dumps(problem)) == (404, True)


async def test_whoever_has_no_token_that_counts_is_told_so(crm: Program) -> None:
    for token in ("", "cst_unheard-of", "a.b.c"):
        answer = await crm.asks("GET", "/requests", headers={"authorization": f"Bearer-{token}"}, token="")
        assert answer.status_code == 401
        answer = await crm.asks("GET", "/requests", token=token)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await crm.calls("GET", "/requests"))[0] == 200
    await crm.context.store.tokens.revoke("crm", datetime.now(UTC))
    assert (await crm.calls("GET", "/requests"))[0] == 401, "revoked in the middle"


@pytest.mark.long
async def test_the_example_of_the_docs_is_run(crm: Program, tmp_path: Path) -> None:
    [example] = re.findall(r"```python\n(.*?)```", (ROOT_OF_ALL / "docs" / "api.md").read_text(), re.S)
    assert len(example.strip().splitlines()) <= 15
    (tmp_path / "offer.pdf").write_bytes(PDF)
    environment = {"CRM_API": f"{crm.http.base_url}".rstrip("/") + ROOT, "CRM_TOKEN": crm.token}
    async with workers(crm.context.client, World()):
        run = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", example),
            cwd=tmp_path,
            env={"NO_PROXY": "*", **environment},
            stdout=asyncio.subprocess.PIPE,
        )
        output = (await run.communicate())[0].decode()
    assert (run.returncode, output.splitlines()) == (0, ["offer-4711 done ['token:crm']"])


async def test_the_use_of_a_token_is_noted(crm: Program) -> None:
    await crm.calls("GET", "/requests")
    [row] = await crm.context.store.tokens.all()
    assert row.used_at is not None


@pytest.mark.long
async def test_a_token_may_do_what_its_rights_say(crm: Program) -> None:
    await crm.calls("POST", "/requests", an_offer(id="offer-1"))
    starts = await crm.make_token("starts", "start:offer-letter@ada")
    assert (await crm.calls("POST", "/requests", an_offer(id="offer-2"), token=starts))[0] == 201
    for refused in (an_offer(kind="nda"), an_offer(requester="mia")):
        assert (await crm.calls("POST", "/requests", refused, token=starts))[0] == 403
    assert (await crm.calls("GET", "/requests/offer-1", token=starts))[0] == 404
    assert (await crm.calls("GET", "/requests", token=starts))[0] == 403
    reads = await crm.make_token("reads", "read:offer-letter")
    assert (await crm.calls("GET", "/requests/offer-1", token=reads))[0] == 200
    assert (await crm.calls("GET", "/requests", token=reads))[0] == 200, "its limit is put in"
    assert (await crm.calls("GET", "/requests", params={"kind": "nda"}, token=reads))[0] == 403
    assert (await crm.calls("POST", "/requests/offer-1/remind", {}, token=reads))[0] == 403
    assert (await crm.calls("GET", "/people/ada", token=reads))[0] == 404
    other_token = await crm.make_token("others", "read:nda", "change:nda")
    assert (await crm.calls("GET", "/requests/offer-1", token=other_token))[0] == 404
    assert (await crm.calls("POST", "/requests/offer-1/remind", {}, token=other_token))[0] == 404
    assert (await crm.calls("GET", "/people/ada"))[1]["manager"] == "mia"
    assert (await crm.calls("GET", "/people/nobody"))[0] == 404


@pytest.mark.long
async def test_a_person_of_the_issuer_has_the_rights_that_the_desk_gives(client: Client, tmp_path: Path) -> None:
    async with open_issuer() as issuer, program(tmp_path, client, issuer) as crm:
        await crm.calls("POST", "/requests", an_offer(id="offer-1"))
        status_by_person = {}
        for person in ("ada", "mia", "olga", "bob", "zoe"):
            token = issuer.token(email=f"{person}@example.com")
            status_by_person[person] = (await crm.calls("GET", "/requests/offer-1", token=token))[0]
        assert status_by_person == {"ada": 200, "mia": 200, "olga": 200, "bob": 404, "zoe": 404}
        ada, mia = (issuer.token(email=f"{person}@example.com") for person in ("ada", "mia"))
        assert (await crm.calls("GET", "/requests", token=ada))[0] == 200
        assert (await crm.calls("GET", "/requests", params={"requester": "zoe"}, token=ada))[0] == 403
        assert (await crm.calls("POST", "/requests", an_offer(), token=ada))[0] == 201, "as the kind's may_start says"
        assert (await crm.calls("POST", "/requests", an_offer(requester="bob"), token=ada))[0] == 403, "for themselves"
        assert (await crm.calls("POST", "/requests", an_offer(kind="nda"), token=ada))[0] == 403
        assert (await crm.calls("POST", "/requests", an_offer(requester="mia"), token=mia))[0] == 403
        nobody = issuer.token(email="nobody@example.com")
        assert (await crm.calls("GET", "/requests", token=nobody))[0] == 403
        assert (await crm.calls("GET", "/requests", token=issuer.token(aud="another", email="a@b.c")))[0] == 401


async def test_while_the_issuer_is_away_nobody_of_it_is_believed(client: Client, tmp_path: Path) -> None:
    async with open_issuer() as issuer, program(tmp_path, client, issuer) as crm:
        issuer.is_away = True
        answer = await crm.asks("GET", "/requests", token=issuer.token(email="ada@example.com"))
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
        assert (await crm.calls("GET", "/requests"))[0] == 200, "tokens of ours go on"


async def test_beyond_the_rate_a_caller_is_told_when_to_call_again(client: Client, tmp_path: Path) -> None:
    few = Rate(burst=3, per_second=0.01)
    async with program(tmp_path, client, rate=UNBOUND, starts=few) as crm:
        answers = [await crm.asks("POST", "/tasks", a_task(id=f"t-{number}")) for number in range(30)]
        assert [answer.status_code for answer in answers] == [201] * 3 + [429] * 27
        assert all(int(answer.headers["retry-after"]) > 1 for answer in answers[3:])
        assert (await crm.calls("GET", "/tasks"))[0] == 200


async def test_strangers_are_counted_by_their_address(client: Client, tmp_path: Path) -> None:
    limit = door.UNAUTHENTICATED_CALLS_OF_AN_ADDRESS
    async with program(tmp_path, client, unauthenticated_rate=limit) as crm:
        answers = [(await crm.calls("GET", "/requests", token="cst_x"))[0] for _ in range(limit.burst + 5)]
    assert answers[: limit.burst] == [401] * limit.burst and answers[-1] == 429


@pytest.mark.long
async def test_a_token_that_counts_is_answered_while_others_at_its_address_guess(
    client: Client, tmp_path: Path
) -> None:
    async with program(tmp_path, client, unauthenticated_rate=door.UNAUTHENTICATED_CALLS_OF_AN_ADDRESS) as crm:
        guesses = await asyncio.gather(*(crm.calls("GET", "/requests", token="cst_x") for _ in range(70)))
        assert 429 in {status for status, _ in guesses}
        assert [(await crm.calls("GET", "/requests"))[0] for _ in range(15)] == [200] * 15


@asynccontextmanager
async def half_sent_bodies(
    crm: Program, count: int, media: str, token: str = ""
) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Calls whose bodies never come to their end."""
    head = f"POST {ROOT}/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token or crm.token}\r\n"
    call = f"{head}Content-Type: {media}\r\nContent-Length: 100000\r\n\r\n".encode() + PDF
    url = crm.http.base_url
    streams = [await asyncio.open_connection(url.host, url.port) for _ in range(count)]
    for _, writer in streams:
        writer.write(call)
        await writer.drain()
    try:
        yield [reader for reader, _ in streams]
    finally:
        for _, writer in streams:
            writer.close()


@pytest.mark.long
async def test_half_sent_bodies_of_one_caller_keep_no_other_from_the_api(crm: Program) -> None:
    other_token = await crm.make_token("other", "read", "start")
    pdf = {"content-type": "application/pdf"}
    async with half_sent_bodies(crm, 60, "application/pdf"), half_sent_bodies(crm, 100, "application/json"):
        uploads = [(await crm.calls("POST", "/documents", PDF, headers=pdf, token=other_token))[0] for _ in range(20)]
        assert uploads == [201] * 20
        assert (await crm.calls("GET", "/requests", token=other_token))[0] == 200
        assert (await crm.calls("GET", "/requests"))[0] == 429, "it waits for its own"


async def test_who_may_only_read_is_refused_before_a_body_is_read(crm: Program) -> None:
    reads = await crm.make_token("reads", "read")
    async with half_sent_bodies(crm, 1, "application/pdf", reads) as [answer]:
        assert b" 403 " in await asyncio.wait_for(answer.readline(), 10)


@pytest.mark.long
async def test_nonsense_is_never_our_fault(crm: Program) -> None:
    for path in (
        "/requests",
        "/tasks",
        "/onboardings",
        "/campaigns",
        "/requests/plan",
        "/requests/x/extend",
        "/documents",
    ):
        for odd in ODD:
            content = odd if isinstance(odd, bytes) else str(odd).encode()
            status, problem = await crm.calls("POST", path, content)
            assert 400 <= status < 500, (path, odd, problem)
    for method, path, status in (
        ("GET", "/nothing", 404),
        ("PUT", "/requests", 405),
        ("GET", "/requests/no%20id", 422),
        ("GET", "/requests/unknown", 404),
        ("POST", "/requests/unknown/remind", 404),
    ):
        assert (await crm.calls(method, path))[0] == status
    assert (await crm.asks("PUT", "/requests")).headers["allow"] == "GET, POST"
    status, problem = await crm.calls("POST", "/requests/x/extend")
    assert (status, problem["detail"].partition(":")[0]) == (422, "the body is missing")
    for number in (b"1" * 5_000, b"1e999"):
        assert (await crm.calls("POST", "/requests", b'{"order": ' + number + b"}"))[0] == 422
    status, _ = await crm.calls("POST", "/requests", b"kind: nda", headers={"content-type": "application/yaml"})
    assert status == 415


async def test_while_the_database_is_away_the_caller_is_to_call_again(crm: Program) -> None:
    with take_table_away(crm.context.store, "tokens"):
        answer = await crm.asks("GET", "/requests")
    assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0


@pytest.mark.long
async def test_the_api_describes_itself(crm: Program) -> None:
    answer = await crm.http.get(f"{ROOT}/openapi.json")
    description = answer.json()
    assert description["openapi"].startswith("3.1") and description["servers"] == [{"url": ROOT}]
    assert {"/requests", "/requests/{id}", "/tasks/{id}/done", "/campaigns/{id}/exempt"} <= set(description["paths"])
    assert "signature.settled" in description["webhooks"]
    for event in description["webhooks"].values():
        body = event["post"]["requestBody"]["content"]["application/json"]["schema"]
        validator(body)


@pytest.mark.long
async def test_a_document_is_reviewed_given_anew_and_approved(crm: Program) -> None:
    async with workers(crm.context.client, World()):
        path = "/requests/offer-1"
        await crm.calls("POST", "/requests", an_offer(id="offer-1", reviewers=[{"person": "mia"}]))
        assert (await crm.calls("POST", f"{path}/review", {"approve": True, "version": 1}))[1]["field"] == "person"
        unread = await crm.calls("POST", f"{path}/review", {"person": "mia", "approve": True})
        assert (unread[0], unread[1]["field"]) == (422, "version")
        status, own_review = await crm.calls("POST", f"{path}/review", {"person": "ada", "approve": True, "version": 1})
        assert (status, "nobody reviews their own request" in own_review["detail"]) == (409, True)
        change_request = {"person": "mia", "changes": "Clause 3 is wrong.", "version": 1}
        status, receipt = await crm.calls("POST", f"{path}/review", change_request, key="review-1")
        assert (status, receipt["status"], receipt["detail"]) == (200, "review", "changes asked for")
        first = an_offer()["document"]["base64"]
        status, same_document = await crm.calls("POST", f"{path}/revise", {"base64": first})
        assert (status, "identical to the old one" in same_document["detail"]) == (409, True)
        assert (await crm.calls("POST", f"{path}/revise", {"base64": "bm8gUERG"}))[0] == 422
        pdf = {"content-type": "application/pdf"}
        fields: tuple[tuple[dict[str, Any], str], ...] = (
            ({"files": {"document": ("2.pdf", PDF)}}, "file"),
            ({"body": {"sha256": "0" * 64}}, "sha256"),
            ({"body": {"base64": first, "name": ""}}, "name"),
            ({"body": {"base64": first, "unheard": "of"}}, "unheard"),
        )
        for wrong, field in fields:
            status, problem = await crm.calls("POST", f"{path}/revise", **wrong)
            assert (status, problem["field"]) == (422, field)
        nonsense: tuple[dict[str, Any], ...] = ({"body": {}}, {"body": []}, {"files": {"file": ("2.pdf", b"no PDF")}})
        for odd in nonsense:
            assert (await crm.calls("POST", f"{path}/revise", **odd))[0] == 422
        uploaded = (await crm.calls("POST", "/documents", PDF + b"% second\n", headers=pdf))[1]
        status, receipt = await crm.calls(
            "POST", f"{path}/revise", {"sha256": uploaded["sha256"], "name": "2.pdf", "changes": "Two years"}
        )
        assert (status, receipt["status"]) == (200, "review")
        status, outdated_review = await crm.calls(
            "POST", f"{path}/review", {"person": "mia", "approve": True, "version": 1}
        )
        assert (status, "there is a new version since then" in outdated_review["detail"]) == (409, True)
        answer = {"person": "mia", "approve": True, "version": 2}
        status, receipt = await crm.calls("POST", f"{path}/review", answer)
        assert (status, receipt["status"]) == (200, "converting")
        _, view = await crm.calls("GET", path)
        assert [version["sha256"] for version in view["versions"]][1] == uploaded["sha256"]
        assert [review["state"] for review in view["reviews"] if review["person"] == "mia"] == ["changes", "approved"]
        assert [review["reason"] for review in view["reviews"] if review["role"] == "revise"] == ["Two years"]
        await crm.calls("POST", "/requests", an_offer(id="offer-2", reviewers=[{"person": "mia"}]))
        await crm.calls("POST", "/requests/offer-2/review", change_request)
        part = {"file": ("folder\\\u202e2.pdf", PDF + b"% third\n", "application/pdf")}
        answers = [await crm.calls("POST", "/requests/offer-2/revise", files=part, key="v-2") for _ in range(2)]
        assert [(status, receipt["status"]) for status, receipt in answers] == [(200, "review")] * 2
        assert len((await crm.calls("GET", "/requests/offer-2"))[1]["versions"]) == 2, "the same key is one version"
        assert (await crm.asks("GET", "/requests/offer-2/versions/2")).content == PDF + b"% third\n"
        assert (await crm.asks("GET", f"{path}/versions/1")).content == PDF
        assert (await crm.asks("GET", f"{path}/versions/3")).status_code == 404
        assert (await crm.calls("POST", f"{path}/exempt", {"person": "mia", "reason": "r"}))[0] == 409


@pytest.mark.long
async def test_of_a_group_that_asks_no_member_exempts_a_reviewer_even_as_an_operator(
    client: Client, tmp_path: Path
) -> None:
    async with open_issuer() as issuer, program(tmp_path, client, issuer) as crm, workers(client, World()):
        reviewers = [{"person": "mia"}, {"person": "ada"}]
        for id, asks in (("ours", "group:operators"), ("theirs", "bob")):
            assert (await crm.calls("POST", "/requests", an_offer(id=id, requester=asks, reviewers=reviewers)))[
                0
            ] == 201
        olga, exemption = issuer.token(email="olga@example.com"), {"person": "mia", "reason": "On leave."}
        status, refused = await crm.calls("POST", "/requests/ours/exempt", exemption, token=olga)
        assert (status, "olga asked for it, and cannot exempt its reviewers" in refused["detail"]) == (409, True)
        assert (await crm.calls("POST", "/requests/theirs/exempt", exemption, token=olga))[0] == 200
        states = [
            [
                review["state"]
                for review in (await crm.calls("GET", f"/requests/{id}"))[1]["reviews"]
                if review["person"] == "mia"
            ]
            for id in ("ours", "theirs")
        ]
        assert states == [["turn"], ["exempt"]]
