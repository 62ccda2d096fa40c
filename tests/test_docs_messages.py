"""docs/messages.md: its table is the catalogue of messages; `make messages` writes it."""

import re
from pathlib import Path

from starter.web.api.problems import ProblemDetails
from workflows.model.messages import MESSAGES
from workflows.model.plan_reasons import PlanReason
from workflows.model.rejections import Rejection

PAGE = Path(__file__).parents[1] / "docs" / "messages.md"
FAMILIES = (Rejection, PlanReason)
_TABLE = re.compile(r"(<!-- messages -->\n).*?(<!-- /messages -->)", re.DOTALL)


def render_table() -> str:
    rows = ["| Code | In English |", "| --- | --- |"]
    rows += [f"| `{code}` | {MESSAGES[code]} |" for code in sorted(code for family in FAMILIES for code in family)]
    return "\n".join(rows) + "\n"


def render_page(page: str) -> str:
    return _TABLE.sub(lambda match: match[1] + render_table() + match[2], page)


def test_the_table_is_the_catalogue() -> None:
    assert PAGE.read_text() == render_page(PAGE.read_text()), "make messages writes it"


def test_the_description_of_the_api_has_every_code_with_its_sentence() -> None:
    description = ProblemDetails.model_json_schema()["properties"]["code"]["description"]
    for code in Rejection:
        assert f"`{code}`: {MESSAGES[code]}" in description


if __name__ == "__main__":
    PAGE.write_text(render_page(PAGE.read_text()))
