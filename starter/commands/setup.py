"""`countersign init` and `doctor`: make what is missing, and say what is set up and what is not."""

from typing import Annotated

from cyclopts import Parameter

from starter.commands.arguments import AsJson
from starter.commands.printing import print_answer
from starter.context import connected
from starter.doctor import tables
from starter.doctor.examination import examine
from starter.doctor.targets import try_targets
from starter.error_types import Exit
from starter.nexus.endpoint import ensure_endpoint
from starter.reconciling import ensure_schedule
from starter.search_attributes import ensure_search_attributes
from starter.startup import ready
from starter.subscribing import ensure_subscriptions


async def init(*, json: AsJson = False) -> Exit:
    """Make the search attributes, the schedule of `countersign reconcile` and the Nexus endpoint, and the
    subscriptions at Core Signature where it is to call by these, or mend them.

    May be repeated: what exists is left alone, what was changed is mended; what this user may not make is said, with
    what to do.

    Parameters
    ----------
    json
        Print `[{name, made, says}]`.
    """
    settings = ready()
    async with connected(settings) as client:
        needed = [*await ensure_search_attributes(client), await ensure_schedule(client)]
        endpoint = await ensure_endpoint(client, settings.nexus_endpoint)
    needed += await ensure_subscriptions(settings)
    results = [*needed, endpoint]
    print_answer(results, tables.of_set_up(results), as_json=json)
    # Nobody but workflows of other teams needs the endpoint.
    return Exit.DONE if all(result.made.usable for result in needed) else Exit.REFUSED


async def doctor(
    *,
    targets: Annotated[bool, Parameter(help="Try each target of the catalogue instead.")] = False,
    json: AsJson = False,
) -> Exit:
    """Say for each part whether it is reachable and set up, or what to do.

    With `--targets` each target of the hand-off is tried: a system gets a signed `ping`, the others are looked up; a
    target of a request file is not known here.

    Parameters
    ----------
    json
        Print `{ok, parts[{part, state, says}]}`; `state` is ok, warning or wrong, with `--targets` each part a target.
    """
    examined = await (try_targets(ready()) if targets else examine(ready()))
    print_answer(examined, tables.of_examination(examined, "target" if targets else "part"), as_json=json)
    return Exit.DONE if examined.ok else Exit.REFUSED
