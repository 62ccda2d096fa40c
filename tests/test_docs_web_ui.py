"""docs/web-ui.md is true: the server takes every query, and the columns are attributes that requests have."""

import re
from pathlib import Path

import pytest

from starter.cli import setup
from tests.servers import own_namespace
from workflows.names import SEARCH_ATTRIBUTES
from workflows.signature.workflow import SignatureRequestWorkflow

PAGE = (Path(__file__).parents[1] / "docs" / "web-ui.md").read_text()
QUERIES = re.findall(r"^\| [^|]+ \| `(.* [=<].*|.* IS .*)` \|$", PAGE, re.MULTILINE)


@pytest.mark.real_server
async def test_the_server_takes_every_query_of_the_page(dev_server: str) -> None:
    assert len(QUERIES) == 8
    client = await own_namespace(dev_server)
    assert [(await client.count_workflows(query)).count for query in QUERIES] == [0] * len(QUERIES)


def test_every_column_is_an_attribute_of_ours() -> None:
    named = set(re.findall(r"\bCs[A-Z]\w+", PAGE))
    assert named <= {key.name for key in SEARCH_ATTRIBUTES}
    assert {"CsStatus", "CsWaitingFor", "CsDueAt", "CsProblem"} <= named


def test_the_columns_answer_in_this_order_whom_since_when_until_when_and_what_is_wrong() -> None:
    columns = re.findall(r"^\| `(Cs\w+)` \|", PAGE, re.MULTILINE)
    assert columns == ["CsWaitingFor", "CsTurnAt", "CsDueAt", "CsProblem", "CsStage", "CsStatus"]


def test_the_page_and_init_say_how_the_columns_show_what_is_wrong() -> None:
    assert "add `CsProblem` and `CsStage`.**" in PAGE
    assert "add CsProblem and CsStage" in setup._COLUMNS


def test_every_update_says_in_the_web_ui_what_it_does() -> None:
    definition = SignatureRequestWorkflow.__temporal_workflow_definition  # type: ignore[attr-defined]
    assert {name: update.description for name, update in definition.updates.items() if not update.description} == {}
