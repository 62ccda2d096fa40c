"""Another team's workflow that needs a signature: `python -m starter.examples.nexus_caller` is their worker, `…
nexus_caller 4711 customer-signer contract.pdf` one order. They have their own namespace and queue (`TEMPORAL_ADDRESS`,
`TEMPORAL_NAMESPACE`), and one file of Countersign: the contract.
"""

import asyncio
import base64
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from temporalio import workflow
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from starter.nexus.contract import Settlement, Signatures

QUEUE: Final = "orders"


@workflow.defn
class Order:
    """What an order needs is one durable call away: a contract that a customer has signed."""

    @workflow.run
    async def run(self, number: str, customer: str, pdf: str) -> Settlement:
        """Ask the customer, and wait for days; nobody of this team is needed meanwhile. `pdf` is in base64."""
        signatures = workflow.create_nexus_client(service=Signatures, endpoint="countersign")
        request: dict[str, Any] = {"id": f"order-{number}", "kind": "customer-contract", "requester": "legal-desk"}
        request |= {"document": {"name": f"Order {number}", "pdf": pdf}, "signers": [{"person": customer}]}
        return await signatures.execute_operation(
            Signatures.request_signature, request, schedule_to_close_timeout=timedelta(days=120)
        )


async def main(order: list[str]) -> None:
    """Work until the process is ended, or have one order begin."""
    client = await Client.connect(**ClientConfig.load_client_connect_config())
    if not order:
        await Worker(client, task_queue=QUEUE, workflows=[Order]).run()
        return
    number, customer, contract = order
    pdf = base64.b64encode(await asyncio.to_thread(Path(contract).read_bytes)).decode()
    await client.start_workflow(Order.run, args=[number, customer, pdf], id=f"order-{number}", task_queue=QUEUE)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
