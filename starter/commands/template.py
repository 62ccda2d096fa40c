"""`countersign campaign template`: the table of people that a campaign can be given, to be filled in."""

import csv
import sys
from typing import Final

from rich.text import Text

from activities.campaigns.rows import COLUMNS
from starter.commands.arguments import AsJson
from starter.commands.printing import note, print_answer
from workflows.model.base import Model

SAYS: Final = {
    "person": "An id of the people file; then the columns of somebody in full stay empty",
    "name": "Of somebody who is in no people file: as it is written to them",
    "email": "Theirs; the same address is the same person, whatever else the rows say",
    "zone": "Their IANA time zone, such as Europe/Amsterdam: they are reminded by day",
    "locale": "The language they are told in, such as nl; empty is en",
    "phone": "Their number with the country, such as +31201234567; may be empty",
    "manager": "Who hears that they have not acknowledged: an id of the people file; empty is that of the people file",
    "department": "What the report counts them under; empty is that of the people file",
}
_EXAMPLES: Final = (
    {"person": "chief-executive"},
    {
        "name": "Ada Example",
        "email": "ada@example.com",
        "zone": "Europe/Amsterdam",
        "locale": "nl",
        "department": "sales",
    },
)


class Column(Model):
    """A column of the table, and what stands in it."""

    column: str
    says: str


def template(*, json: AsJson = False) -> None:
    """Print a table of people to fill in: two rows as an example, one for each way to say who somebody is.

    Parameters
    ----------
    json
        Print what each column is for instead: `[{column, says}]`.
    """
    if json:
        print_answer([Column(column=name, says=SAYS[name]) for name in COLUMNS], Text(), as_json=True)
        return
    table = csv.DictWriter(sys.stdout, COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(_EXAMPLES)
    note("each row is somebody: an id of the people file, or name, email and zone; --json explains the columns")
