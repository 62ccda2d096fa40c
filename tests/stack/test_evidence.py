"""What a request leaves behind on a whole stack: its pack is the same after Temporal forgot the run, and the links to
its document are in no history.
"""

import asyncio
import json
from pathlib import Path
from zipfile import ZipFile

import pytest
from temporalio.client import Client

from tests.plain_http import plain_client
from tests.privacy.evidence import stored
from tests.stack.laptop import Laptop
from tests.workflows.campaign.test_real import delete_workflow

pytestmark = [pytest.mark.real_server, pytest.mark.long]

_HAND_OFF = """  handoff:
    - {{target: erp, url: "{sandbox}/_sandbox/targets/erp", personal: true}}
    - {{target: crm, workflow: crm-of-proven}}
    - {{target: archive, start: {{workflow: Archive, queue: nobody}}}}
prefill: {{order-number: "order-4711-of-proven"}}
"""


async def test_a_pack_outlives_its_run_and_a_link_is_in_no_history(laptop: Laptop, tmp_path: Path) -> None:
    client = await Client.connect(laptop.addresses["temporal"])
    await client.start_workflow("Crm", id="crm-of-proven", task_queue="nobody")
    sandbox, file = laptop.addresses["sandbox"], laptop.request("proven")
    file.write_text(file.read_text().partition("  handoff:")[0] + _HAND_OFF.format(sandbox=sandbox))
    await asyncio.to_thread(laptop.answer, "request", "start", str(file))
    file.write_text(file.read_text().replace("order-4711-of-proven", "order-4712-of-a-refused-start"))
    assert (await asyncio.to_thread(laptop.type, "request", "start", str(file))).returncode == 1
    await asyncio.to_thread(laptop.wait_for_view, "proven", lambda view: view["status"] == "sent")
    async with plain_client(sandbox) as browser:
        for _ in range(2):
            [document] = (await browser.get("/_sandbox/documents", params={"external_id": "proven"})).json()
            [signer] = [signer_of_document for signer_of_document in document["signers"] if signer_of_document["turn"]]
            signing = {"inputs": [{"external_id": f"vat-{signer['order']}", "text": "NL0001"}]}
            (await browser.post(f"/_sandbox/signers/{signer['uuid']}/sign", json=signing)).raise_for_status()
        await asyncio.to_thread(
            laptop.wait_for_view,
            "proven",
            lambda view: view["handoffs"] and {hand_off["state"] for hand_off in view["handoffs"]} == {"done"},
        )
        ledger = (await browser.get("/_sandbox/ledger")).json()
    [call] = [entry for entry in ledger if entry["type"] == "downstream" and entry["target"] == "erp"]
    data = json.loads(call["raw"])["data"]
    assert data["document"]["url"].startswith(laptop.addresses["receiver"])
    assert data["fields"] == [
        {"id": "order-number", "value": "order-4711-of-proven"},
        {"id": "vat-1", "value": "NL0001"},
        {"id": "vat-2", "value": "NL0001"},
    ]
    for workflow_id in ("crm-of-proven", "proven.archive", "signature-request:proven"):
        stored_bytes = await stored(client, workflow_id)
        assert data["document"]["sha256"].encode() in stored_bytes, workflow_id
        token = data["document"]["url"].rpartition("/")[2].encode()
        for secret in (b"/download/", token, b"NL0001", b"order-4711-of-proven"):
            assert secret not in stored_bytes, (workflow_id, secret)
    pack_before, pack_after = tmp_path / "before.zip", tmp_path / "after.zip"
    await asyncio.to_thread(laptop.answer, "audit", "export", "proven", "-o", str(pack_before))
    await client.get_workflow_handle("signature-request:proven").result()
    await delete_workflow(client, "signature-request:proven", within_seconds=60)
    await asyncio.to_thread(laptop.answer, "audit", "export", "proven", "-o", str(pack_after))
    assert pack_before.read_bytes() == pack_after.read_bytes()
    [verification] = await asyncio.to_thread(laptop.answer, "audit", "verify", str(pack_after))
    assert (verification["ok"], verification["trusted"], b"a-refused-start" in pack_after.read_bytes()) == (
        True,
        True,
        False,
    )
    with ZipFile(pack_after) as pack:
        assert {"history/1.jsonl", "payloads/1.jsonl", "signed.pdf", "signing-log.pdf"} <= set(pack.namelist())
        assert json.loads(pack.read("fields.json")) == data["fields"]
