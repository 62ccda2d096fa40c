"""`campaign template`: a table that somebody fills in, and that a campaign takes as it is."""

import csv
import json
from io import StringIO
from pathlib import Path

from activities.campaign.population import COLUMNS, read
from tests.starter.terminal import type_
from tests.workflows.campaign.stage import SECRET


def test_the_table_is_one_that_a_campaign_takes(tmp_path: Path) -> None:
    typed = type_("campaign", "template")
    (tmp_path / "people.csv").write_text(typed.stdout)
    audience = read(tmp_path / "people.csv", secret=SECRET)
    assert typed.returncode == 0
    assert next(csv.reader(StringIO(typed.stdout))) == list(COLUMNS)
    assert [row.says for row in audience.rows] == ["", ""]
    assert [person.email for person in audience.people.values()] == ["ada@example.com"]


def test_each_column_is_explained_in_a_line() -> None:
    columns = json.loads(type_("campaign", "template", "--json").stdout)
    assert [column["column"] for column in columns] == list(COLUMNS)
    assert [column for column in columns if len(column["says"].split()) < 5] == []
