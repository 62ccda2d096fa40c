"""`countersign init` and `doctor`: make what is missing, and say what is set up and what is not."""

from starter.commands.arguments import AsJson
from starter.commands.printing import answer
from starter.context import connected
from starter.doctor import tables
from starter.doctor.examination import examine
from starter.exits import Exit
from starter.reconciling import ensure_schedule
from starter.search_attributes import ensure_search_attributes
from starter.startup import ready


async def init(*, json: AsJson = False) -> Exit:
    """Make the search attributes and the schedule of `countersign reconcile` in the Temporal namespace, or mend them.

    May be repeated: what exists is left alone, a schedule that was changed is mended; what this user may not make is
    said, with what to do.

    Parameters
    ----------
    json
        Print `[{name, made, says}]`.
    """
    async with connected(ready()) as client:
        results = [*await ensure_search_attributes(client), await ensure_schedule(client)]
    answer(results, tables.of_set_up(results), as_json=json)
    return Exit.DONE if all(result.made.usable for result in results) else Exit.REFUSED


async def doctor(*, json: AsJson = False) -> Exit:
    """Say for each part whether it is reachable and set up, or what to do.

    Parameters
    ----------
    json
        Print `{ok, parts[{part, state, says}]}`; `state` is ok, warning or wrong.
    """
    examined = await examine(ready())
    answer(examined, tables.of_examination(examined), as_json=json)
    return Exit.DONE if examined.ok else Exit.REFUSED
