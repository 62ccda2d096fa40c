"""Absences by the API: entered by whom the rights let, refused by their field, ended as easily."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.servers import own_namespace
from tests.starter.web.api.program import Program, program
from tests.starter.web.issuing import open_issuer

pytestmark = pytest.mark.real_server
TODAY = datetime.now(UTC).date()
PATH = "/people/bob/absence"


def away(last: int = 7, **more: Any) -> dict[str, Any]:
    return {"from": TODAY.isoformat(), "until": (TODAY + timedelta(days=last)).isoformat(), **more}


@pytest.fixture
async def client(dev_server: str) -> Client:
    return await own_namespace(dev_server)


@pytest.fixture
async def crm(client: Client, tmp_path: Path) -> AsyncIterator[Program]:
    async with program(tmp_path, client) as it:
        yield it


async def test_it_is_entered_shown_and_ended(crm: Program) -> None:
    assert await crm.calls("GET", PATH) == (200, {"person": "bob", "away": False, "absences": []})
    status, found = await crm.calls("PUT", PATH, away(acts="zoe", kinds=["nda"]))
    [one] = found["absences"]
    assert (status, found["away"], one["acts"], one["kinds"]) == (200, True, "zoe", ["nda"])
    assert (one["entered_by"], one["told"], one["told_at"]) == ("token:crm", 0, None)
    assert await crm.calls("PUT", PATH, away(acts="zoe", kinds=["nda"])) == (200, found), "once, however often"
    status, found = await crm.calls("PUT", PATH, away(last=30, kinds=["offer-letter"]))
    assert [line["kinds"] for line in found["absences"]] == [["nda"], ["offer-letter"]]
    status, found = await crm.calls("DELETE", f"{PATH}?absence={one['id']}")
    assert [line["kinds"] for line in found["absences"]] == [["offer-letter"]]
    assert (await crm.calls("DELETE", PATH))[1]["absences"] == []


@pytest.mark.parametrize(
    ("said", "field", "detail"),
    [
        (away(last=-3), "until", "ends before it begins"),
        (away(last=1_000), "until", "is more than two years away"),
        (away(acts="nobody"), "acts", "is not in the directory"),
        (away(acts="bob"), "acts", "the delegates go round in a circle: bob → bob"),
        (away(kinds=["eclipse"]), "kinds", '"eclipse" is no kind of the catalogue'),
        ({"from": "soon", "until": "later"}, "from", "must be a date"),
        (away(colour="red"), "colour", "is not known"),
    ],
)
async def test_what_cannot_be_is_refused_by_its_field(
    crm: Program, said: dict[str, Any], field: str, detail: str
) -> None:
    status, problem = await crm.calls("PUT", PATH, said)
    assert (status, problem["field"]) == (422, field)
    assert detail in problem["errors"][0]["says"]


async def test_people_enter_their_own_and_that_of_their_people(client: Client, tmp_path: Path) -> None:
    async with open_issuer() as issuer, program(tmp_path, client, issuer, "read") as it:
        assert (await it.calls("PUT", PATH, away()))[0] == 403, "a token that may only read"
        assert (await it.calls("GET", "/people/nobody/absence"))[0] == 404
        bob, mia, ada = (issuer.token(email=f"{person}@example.com") for person in ("bob", "mia", "ada"))
        assert (await it.calls("PUT", PATH, away(), token=bob))[0] == 200
        status, found = await it.calls("PUT", PATH, away(last=9), token=mia)
        assert (status, [one["entered_by"] for one in found["absences"]]) == (200, ["oidc:bob", "oidc:mia"])
        for method in ("GET", "PUT", "DELETE"):
            assert (await it.calls(method, PATH, away() if method == "PUT" else None, token=ada))[0] == 404
