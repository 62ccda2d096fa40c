"""What `doctor` says of settings, store and workers; the parts that need the whole stack are in tests/stack."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from starter.doctor import Health, Part, examine
from starter.doctor.files import store
from starter.doctor.temporal import worker
from starter.settings import load
from tests.servers import real_server
from tests.starter.terminal import complete
from tests.versions.stage import eventually
from tests.workflows.fakes import World
from tests.workflows.stage import workers
from workflows.names import SIGNATURE_QUEUE, WORKFLOW_QUEUE
from workflows.signature_request import SignatureRequestWorkflow


async def part_of(environment: dict[str, str], name: str) -> Part:
    """One part of a whole examination, of a machine on which nothing runs."""
    examined = await examine(load(environment={"TEMPORAL_ADDRESS": "127.0.0.1:1", **environment}))
    [part] = [one for one in examined.parts if one.part == name]
    return part


async def test_a_store_that_works_says_who_can_see_it(tmp_path: Path) -> None:
    part = await store((tmp_path / "kept").as_uri())
    assert part.state is Health.OK
    assert part.says.startswith(f"file://{tmp_path}/kept is written, read and listed; processes on other machines")
    assert (await store("memory://shared")).says == "memory:///shared is written, read and listed"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("file:///dev/null/store", "the store cannot be used: Not a directory"),
        ("nosuch://bucket", "COUNTERSIGN_STORE: must be a path or an fsspec URL such as s3://bucket/folder"),
    ],
)
async def test_a_store_that_does_not_work_hides_no_other_part(url: str, says: str) -> None:
    part = await part_of({"COUNTERSIGN_STORE": url}, "store")
    assert (part.state, part.says) == (Health.WRONG, says)
    assert "no Temporal server" in (await part_of({"COUNTERSIGN_STORE": url}, "temporal")).says


@pytest.mark.parametrize(
    "name", ["LINK_BASE", "LINK_SECRET", "WEBHOOK_URL", "WEBHOOK_SEGMENT", "WEBHOOK_SECRETS", "PEOPLE"]
)
async def test_what_worker_or_receiver_would_not_start_without_is_wrong(name: str, tmp_path: Path) -> None:
    everything = complete(tmp_path)
    assert (await part_of(everything, "settings")).state is Health.OK
    del everything[f"COUNTERSIGN_{name}"]
    part = await part_of(everything, "settings")
    assert part.state is Health.WRONG
    assert part.says.startswith(f"COUNTERSIGN_{name}: is missing")


@pytest.mark.real_server
async def test_a_worker_that_asks_no_more_is_not_at_work() -> None:
    async with real_server() as env, workers(env.client, World()):
        assert await eventually(lambda: fine_with(env.client)) == "1 at work"
        later = await worker(env.client, datetime.now(UTC) + timedelta(minutes=2))
    assert later.state is Health.WRONG
    assert later.says.startswith("nobody works on countersign, countersign-core-signature: start")


@pytest.mark.real_server
async def test_a_queue_on_which_nobody_works_is_named() -> None:
    async with (
        real_server() as env,
        Worker(env.client, task_queue=WORKFLOW_QUEUE, workflows=[SignatureRequestWorkflow]),
    ):

        async def says_half() -> bool:
            return f"nobody works on {SIGNATURE_QUEUE}:" in (await worker(env.client)).says

        assert await eventually(says_half)


async def fine_with(client: Client) -> str | None:
    part = await worker(client)
    return part.says if part.state is Health.OK else None
