"""What `doctor` says of the store; the parts that need the whole stack are in tests/stack."""

from pathlib import Path

import pytest

from starter.doctor import Health, Part, examine
from starter.doctor.files import store
from starter.settings import load


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
