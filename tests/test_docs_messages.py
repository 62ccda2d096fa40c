"""docs/messages.json is the catalogue of messages: each code with its English; `make messages` writes it."""

import json
from pathlib import Path

from starter.web.api.problems import ProblemDetails
from workflows.model.file_faults import FileFault
from workflows.model.messages import MESSAGES
from workflows.model.plan_reasons import PlanReason
from workflows.model.rejections import Rejection

CATALOGUE = Path(__file__).parents[1] / "docs" / "messages.json"
FAMILIES = {"rejections": Rejection, "plan_reasons": PlanReason, "file_faults": FileFault}


def render_catalogue() -> str:
    catalogue = {name: {code: MESSAGES[code] for code in sorted(family)} for name, family in FAMILIES.items()}
    return json.dumps(catalogue, indent=2, ensure_ascii=False) + "\n"


def test_the_printed_catalogue_is_that_of_the_code() -> None:
    assert CATALOGUE.read_text() == render_catalogue(), "make messages writes it"


def test_the_description_of_the_api_has_every_code_with_its_sentence() -> None:
    description = ProblemDetails.model_json_schema()["properties"]["code"]["description"]
    for code in (*Rejection, *FileFault):
        assert f"`{code}`: {MESSAGES[code]}" in description


if __name__ == "__main__":
    CATALOGUE.write_text(render_catalogue())
