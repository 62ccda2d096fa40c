"""`request list` as it is typed: an empty list says so, and whether anybody is at work."""

from pathlib import Path

import pytest

from tests.servers import own_namespace
from tests.starter.terminal import complete, type_

pytestmark = pytest.mark.real_server


async def test_with_nothing_to_see_to_it_says_so_and_that_nobody_works(tmp_path: Path, dev_server: str) -> None:
    client = await own_namespace(dev_server)
    there = {"TEMPORAL_ADDRESS": dev_server, "TEMPORAL_NAMESPACE": client.namespace, **complete(tmp_path)}
    attention = type_("request", "list", "--attention", **there)
    as_json = type_("request", "list", "--attention", "--json", **there)
    everything = type_("request", "list", **there)
    assert (attention.returncode, attention.stdout) == (0, "Nothing needs attention\n")
    assert attention.stderr.startswith(
        "worker: nobody works on countersign, countersign-core-signature, countersign-core-signature-urgent: "
    )
    assert attention.stderr.count("\n") == 1
    assert (as_json.stdout, as_json.stderr) == ("[]\n", attention.stderr)
    assert (everything.stdout, everything.stderr) == ("No requests\n", attention.stderr)
