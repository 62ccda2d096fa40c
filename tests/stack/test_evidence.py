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
    await asyncio.to_thread(laptop.shown, "proven", lambda it: it["status"] == "sent")
    async with plain_client(sandbox) as browser:
        for _ in range(2):
            [document] = (await browser.get("/_sandbox/documents", params={"external_id": "proven"})).json()
            [signer] = [one for one in document["signers"] if one["turn"]]
            signing = {"inputs": [{"external_id": f"vat-{signer['order']}", "text": "NL0001"}]}
            (await browser.post(f"/_sandbox/signers/{signer['uuid']}/sign", json=signing)).raise_for_status()
        await asyncio.to_thread(
            laptop.shown, "proven", lambda it: it["handoffs"] and {one["state"] for one in it["handoffs"]} == {"done"}
        )
        ledger = (await browser.get("/_sandbox/ledger")).json()
    [call] = [one for one in ledger if one["type"] == "downstream" and one["target"] == "erp"]
    data = json.loads(call["raw"])["data"]
    assert data["document"]["url"].startswith(laptop.addresses["receiver"])
    assert data["fields"] == [
        {"id": "order-number", "value": "order-4711-of-proven"},
        {"id": "vat-1", "value": "NL0001"},
        {"id": "vat-2", "value": "NL0001"},
    ]
    for workflow_id in ("crm-of-proven", "proven.archive", "signature-request:proven"):
        told = await stored(client, workflow_id)
        assert data["document"]["sha256"].encode() in told, workflow_id
        token = data["document"]["url"].rpartition("/")[2].encode()
        for secret in (b"/download/", token, b"NL0001", b"order-4711-of-proven"):
            assert secret not in told, (workflow_id, secret)
    before, after = tmp_path / "before.zip", tmp_path / "after.zip"
    await asyncio.to_thread(laptop.answer, "audit", "export", "proven", "-o", str(before))
    await client.get_workflow_handle("signature-request:proven").result()
    await delete_workflow(client, "signature-request:proven", within_seconds=60)
    await asyncio.to_thread(laptop.answer, "audit", "export", "proven", "-o", str(after))
    assert before.read_bytes() == after.read_bytes()
    [found] = await asyncio.to_thread(laptop.answer, "audit", "verify", str(after))
    assert (found["ok"], found["trusted"], b"a-refused-start" in after.read_bytes()) == (True, True, False)
    with ZipFile(after) as pack:
        assert {"history/1.jsonl", "payloads/1.jsonl", "signed.pdf", "signing-log.pdf"} <= set(pack.namelist())
        assert json.loads(pack.read("fields.json")) == data["fields"]
