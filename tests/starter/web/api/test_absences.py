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


def make_absence(last: int = 7, **overrides: Any) -> dict[str, Any]:
    return {"from": TODAY.isoformat(), "until": (TODAY + timedelta(days=last)).isoformat(), **overrides}


@pytest.fixture
async def client(dev_server: str) -> Client:
    return await own_namespace(dev_server)


@pytest.fixture
async def crm(client: Client, tmp_path: Path) -> AsyncIterator[Program]:
    async with program(tmp_path, client) as running_program:
        yield running_program


async def test_it_is_entered_shown_and_ended(crm: Program) -> None:
    assert await crm.calls("GET", PATH) == (200, {"person": "bob", "away": False, "absences": []})
    status, answer = await crm.calls("PUT", PATH, make_absence(acts="zoe", kinds=["nda"]))
    [absence] = answer["absences"]
    assert (status, answer["away"], absence["acts"], absence["kinds"]) == (200, True, "zoe", ["nda"])
    assert (absence["entered_by"], absence["told"], absence["told_at"]) == ("token:crm", 0, None)
    assert await crm.calls("PUT", PATH, make_absence(acts="zoe", kinds=["nda"])) == (200, answer), "once, however often"
    status, answer = await crm.calls("PUT", PATH, make_absence(last=30, kinds=["offer-letter"]))
    assert [line["kinds"] for line in answer["absences"]] == [["nda"], ["offer-letter"]]
    status, answer = await crm.calls("DELETE", f"{PATH}?absence={absence['id']}")
    assert [line["kinds"] for line in answer["absences"]] == [["offer-letter"]]
    assert (await crm.calls("DELETE", PATH))[1]["absences"] == []


@pytest.mark.parametrize(
    ("body", "field", "detail"),
    [
        (make_absence(last=-3), "until", "ends before it begins"),
        (make_absence(last=1_000), "until", "is more than two years away"),
        (make_absence(acts="nobody"), "acts", "is not in the directory"),
        (make_absence(acts="bob"), "acts", "the delegates go round in a circle: bob → bob"),
        (make_absence(kinds=["eclipse"]), "kinds", '"eclipse" is no kind of the catalogue'),
        ({"from": "soon", "until": "later"}, "from", "must be a date"),
        (make_absence(colour="red"), "colour", "is not known"),
    ],
)
async def test_what_cannot_be_is_refused_by_its_field(
    crm: Program, body: dict[str, Any], field: str, detail: str
) -> None:
    status, problem = await crm.calls("PUT", PATH, body)
    assert (status, problem["field"]) == (422, field)
    assert detail in problem["errors"][0]["says"]


async def test_people_enter_their_own_and_that_of_their_people(client: Client, tmp_path: Path) -> None:
    async with open_issuer() as issuer, program(tmp_path, client, issuer, "read") as crm:
        assert (await crm.calls("PUT", PATH, make_absence()))[0] == 403, "a token that may only read"
        assert (await crm.calls("GET", "/people/nobody/absence"))[0] == 404
        bob, mia, ada = (issuer.token(email=f"{person}@example.com") for person in ("bob", "mia", "ada"))
        assert (await crm.calls("PUT", PATH, make_absence(), token=bob))[0] == 200
        status, answer = await crm.calls("PUT", PATH, make_absence(last=9), token=mia)
        assert (status, [absence["entered_by"] for absence in answer["absences"]]) == (200, ["oidc:bob", "oidc:mia"])
        for method in ("GET", "PUT", "DELETE"):
            assert (await crm.calls(method, PATH, make_absence() if method == "PUT" else None, token=ada))[0] == 404
