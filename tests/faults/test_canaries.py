"""Canaries: what must not be seen is searched for everywhere, after a life with faults in it."""

from dataclasses import asdict

import pytest

from tests.faults.population import CANARY, REQUESTER, tokens
from tests.faults.races import wait_for_ends
from tests.faults.town import RECEIVER, WORKER, Town, eventually
from tests.faults.vendor import DOCUMENTS, SENDS
from workflows.names import MEMO_DOCUMENT, SEARCH_ATTRIBUTES, WAITING_FOR
from workflows.names import REQUESTER as REQUESTER_ATTRIBUTE

DOCUMENT = "Project Nightingale"
pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]


async def test_nobody_and_no_secret_is_in_logs_histories_and_lists(shared: Town) -> None:
    """H1, H2, H3, H4: names, addresses, device tokens, secrets, bearer tokens and signing pages, whatever failed."""
    await shared.vendor.arm("400", SENDS, contains=tokens(CANARY)[0])
    await shared.ask("canary", CANARY, finance=f"{shared.vendor.url}/_sandbox/targets/finance")
    [document] = await eventually(lambda: shared.vendor.documents("canary"))
    await shared.vendor.arm("502", f"{DOCUMENTS}{document['uuid']}/", method="GET")
    await shared.sign("canary")
    await wait_for_ends(shared, ["canary"])
    history = await shared.handle("canary").fetch_history()
    described = (await shared.handle("canary").describe()).raw_description
    places = {
        "worker's log": shared.log(WORKER),
        "receiver's log": shared.log(RECEIVER),
        # Serialised, so that what payloads hold stands there in clear.
        "history": b"".join(event.SerializeToString() for event in history.events).decode("latin-1"),
        "description": described.SerializeToString().decode("latin-1"),
    }
    assert "customer-contract" in places["history"], "payloads are not readable, so nothing would be found"
    canaries = [*await _personal(shared), *filter(None, asdict(shared.folder_state.secrets).values())]
    assert [(source, canary) for source, text in places.items() for canary in canaries if canary in text] == []


async def test_lists_know_codes_and_dates_only(shared: Town) -> None:
    """H2: the search attributes of every request are words of ours, ids of the directory and instants."""
    await shared.ask("listed", CANARY, name=DOCUMENT)
    await shared.until_shown("listed", lambda view: view.notifications)
    attribute_names, canaries = {key.name for key in SEARCH_ATTRIBUTES}, await _personal(shared)
    async for execution in shared.context.client.list_workflows():
        for pair in execution.typed_search_attributes:
            assert pair.key.name in attribute_names or pair.key.name.startswith(("Temporal", "BuildIds"))
            assert not any(canary in str(pair.value) for canary in [*canaries, DOCUMENT])
    [row] = [
        execution async for execution in shared.context.client.list_workflows("WorkflowId = 'signature-request:listed'")
    ]
    people = {REQUESTER, CANARY}
    assert row.typed_search_attributes[REQUESTER_ATTRIBUTE] in people, "the id, which says who to those who know it"
    assert set(row.typed_search_attributes[WAITING_FOR]) <= people
    assert await row.memo_value(MEMO_DOCUMENT) == DOCUMENT, "readable, for this town has no payload keys"
    row.raw_info.ClearField("memo")
    assert DOCUMENT not in row.raw_info.SerializeToString().decode("latin-1")


async def _personal(town: Town) -> list[str]:
    """Address, name, tokens of phones, and the address of the signing page."""
    pages = [signer["uuid"] for document in await town.vendor.documents("canary") for signer in document["signers"]]
    return [f"{CANARY}@acme.test", CANARY.replace("-", " ").capitalize(), *tokens(CANARY), "embed_url", *pages]
