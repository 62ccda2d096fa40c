"""`request list` as it is typed: an empty list says so, and whether anybody is at work."""

import json
from pathlib import Path

import pytest

from activities.records.store import Store
from starter.temporal.connection import Context
from tests.servers import own_namespace
from tests.starter.terminal import make_complete_environment, type_
from tests.starter.web.desk.shelf import Shelf, audience

pytestmark = pytest.mark.real_server


@pytest.mark.long
async def test_with_nothing_to_see_to_it_says_so_and_that_nobody_works(tmp_path: Path, dev_server: str) -> None:
    client = await own_namespace(dev_server)
    environment = {
        "TEMPORAL_ADDRESS": dev_server,
        "TEMPORAL_NAMESPACE": client.namespace,
        **make_complete_environment(tmp_path),
    }
    attention = type_("request", "list", "--attention", **environment)
    as_json = type_("request", "list", "--attention", "--json", **environment)
    everything = type_("request", "list", **environment)
    mistyped = type_("request", "list", "--kind", "customer-contrct", "--person", "customer-signr", **environment)
    assert (mistyped.returncode, mistyped.stdout) == (0, "No such requests\n")
    assert "customer-contrct" in mistyped.stderr and "did you mean customer-contract?" in mistyped.stderr
    assert "customer-signr" in mistyped.stderr
    assert (attention.returncode, attention.stdout) == (0, "Nothing needs attention\n")
    assert attention.stderr.startswith(
        "worker: no worker polls countersign, countersign-campaigns, countersign-batches, countersign-core-signature, "
        "countersign-core-signature-urgent, countersign-reconciliation, countersign-evidence: start "
        "`countersign worker`; "
    )
    assert attention.stderr.count("\n") == 1
    assert (as_json.stdout, as_json.stderr) == ("[]\n", attention.stderr)
    assert (everything.stdout, everything.stderr) == ("No requests\n", attention.stderr)


@pytest.mark.long
async def test_the_requests_of_a_campaign_are_listed_where_somebody_looks_for_them(
    tmp_path: Path, dev_server: str
) -> None:
    client = await own_namespace(dev_server)
    environment = {
        "TEMPORAL_ADDRESS": dev_server,
        "TEMPORAL_NAMESPACE": client.namespace,
        **make_complete_environment(tmp_path),
    }
    shelf = Shelf(Context(client, Store((tmp_path / "shelf").as_uri())), audience("ada", "bo"))
    await shelf.lay_out()

    def ids(*options: str) -> list[str]:
        return sorted(
            line["id"] for line in json.loads(type_("request", "list", "--json", *options, **environment).stdout)
        )

    assert ids() == []
    assert ids("--requester", shelf.owner) == []
    assert ids("--person", "ada") == ["conduct.ada"]
    assert ids("--kind", "policy-acknowledgement") == ["conduct.ada", "conduct.bo"]
