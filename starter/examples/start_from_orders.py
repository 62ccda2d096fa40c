"""Start a signature request for every order of a JSON file, `[{"number": "4711", "name": …, "email": …}]`: `python -m
starter.examples.start_from_orders orders.json`, with `order-4711.pdf` beside it. Idempotent. Server, people and
catalogue come from the environment.
"""

import asyncio
import json
import sys
from pathlib import Path

from starter.boot import exits
from starter.boot.refusals import REFUSALS
from starter.boot.startup import ready
from starter.cli import start_files as requests
from starter.config.settings import Need
from starter.temporal.connection import opened


async def main(folder: Path, orders: list[dict[str, str]]) -> None:
    """Check all orders first, so that nothing is started when one is wrong."""
    settings = ready(Need.PEOPLE)
    prepared = [await requests.check_request(settings, request_of(order), folder=folder) for order in orders]
    async with opened(settings) as context:
        for start in prepared:
            started = await requests.start(context, start)
            print(started.id, "started" if started.created else "was there before")  # noqa: T201  its whole answer


def request_of(order: dict[str, str]) -> dict[str, object]:
    """The request of an order, as it would stand in a request file."""
    return {
        "id": f"order-{order['number']}",
        "kind": "customer-contract",
        "document": {"file": f"order-{order['number']}.pdf", "name": f"Order {order['number']}"},
        "requester": "legal-desk",
        "signers": [{"name": order["name"], "email": order["email"], "zone": "Europe/Amsterdam"}],
    }


if __name__ == "__main__":
    file = Path(sys.argv[1])
    exits.run(lambda: asyncio.run(main(file.parent, json.loads(file.read_text("utf-8")))), refusals=lambda: REFUSALS)
