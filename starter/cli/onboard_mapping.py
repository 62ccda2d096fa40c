"""`countersign onboard map`: the onboarding that a source's JSON would start."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any, Final

from rich.text import Text
from ruamel.yaml import YAML

from activities.files.reading import FileFaults, FileText
from activities.records.store import Store
from starter.boot import clients
from starter.boot.startup import ready
from starter.cli.arguments import AsJson, RequestFile
from starter.cli.printing import note, print_answer
from starter.config.settings import Need, Settings
from starter.config.values import SOURCE
from starter.errors import Exit, Refusal
from starter.web.bodies import NotReadable, parse
from starter.web.hook_mapping import MappedOnboarding, MappingFailed, SourceMapping
from starter.web.hooks import check_onboarding
from workflows.model.base import Model

_WIDTH: Final = 10_000


class Mapped(Model):
    """The answer of `onboard map`; no id if the mapping skips the event."""

    id: str | None = None
    file: Mapping[str, Any] | None = None
    faults: tuple[str, ...] = ()


async def map_deal(sample: RequestFile, /, *, source: str, json: AsJson = False) -> Exit:
    """Print the onboarding file that some JSON of a source would become, and what is wrong with it; nothing is started.

    Parameters
    ----------
    sample
        What the source would send; `-` reads standard input.
    source
        Its name: the mapping is `<source>.yaml` in COUNTERSIGN_HOOK_MAPPINGS.
    json
        Print `{id, file, faults}`.
    """
    settings = ready(Need.PEOPLE)
    taken = await asyncio.to_thread(_taken, settings, source, sample)
    if taken is None:
        print_answer(Mapped(), Text("no onboarding: the mapping's when lets this event pass by"), as_json=json)
        return Exit.DONE
    faults = await _faults(settings, taken)
    if json:
        print_answer(Mapped(id=taken.id, file=taken.file.plain, faults=faults), "", as_json=True)
    else:
        _write(taken.file.plain)
        note("\n".join(faults) or f"right: it would be started as {taken.id}")
    return Exit.REFUSED if faults else Exit.DONE


def _taken(settings: Settings, source: str, sample: str) -> MappedOnboarding | None:
    if settings.hook.mappings is None:
        raise Refusal("COUNTERSIGN_HOOK_MAPPINGS: is missing")
    if not SOURCE.fullmatch(source):
        raise Refusal("--source: a source has at most 20 of a-z, 0-9 and '_'")
    mapping = SourceMapping.read(settings.hook.mappings, source)
    try:
        return mapping.file_of(parse(FileText.read(sample).text.encode()))
    except (NotReadable, MappingFailed) as refused:
        raise Refusal(f"{sample}: {refused}") from None


async def _faults(settings: Settings, taken: MappedOnboarding) -> tuple[str, ...]:
    try:
        await check_onboarding(settings, clients.directory(settings, Store(settings.store_url)), taken.file)
    except FileFaults as faults:
        return tuple(map(str, faults.faults))
    return ()


def _write(plain: object) -> None:
    """A valid file: lines are not broken at the terminal's width."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width = False, _WIDTH
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(plain, sys.stdout)
