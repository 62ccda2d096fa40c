"""From the process environment to plain variables: secret files, the running laptop stack, unknown names."""

import difflib
import json
import os
from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PREFIX: Final = "COUNTERSIGN_"
DATA_DIR: Final = Path(".countersign")
DEV_FILE: Final = "dev.json"
_FILE: Final = "_FILE"
_SECRET_FILE_BYTES: Final = 64 * 1024
_ELSEWHERE: Final = ("TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE")
"""Whoever sets one of these means another server than the laptop's."""
VERSIONING: Final = ("TEMPORAL_WORKER_BUILD_ID", "TEMPORAL_DEPLOYMENT_NAME")
"""What this process is, on whatever server."""
_OF_THE_READER: Final = {f"{PREFIX}LOG_LEVEL", f"{PREFIX}ACTOR"}


@dataclass(frozen=True)
class DevStack:
    """The laptop stack, as `countersign dev` noted it in `DATA_DIR/dev.json`."""

    temporal: str
    web_ui: str
    sandbox: str
    receiver: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Surroundings:
    """Variables of other systems, and the laptop stack if selected."""

    temporal: Mapping[str, str] = field(default_factory=dict, repr=False)
    otel: Mapping[str, str] = field(default_factory=dict, repr=False)
    dev: DevStack | None = None
    passed_over: str = ""
    """Why the laptop stack that runs here is not the one that is meant."""


@dataclass(frozen=True)
class Variables:
    """Our variables without prefix, those of other systems, and faults."""

    settings: Mapping[str, str] = field(repr=False)
    surroundings: Surroundings
    faults: tuple[str, ...]


def gather(environment: Mapping[str, str], known_names: Collection[str], secret: Collection[str]) -> Variables:
    """Read `environment`; names are given without prefix. Empty variables count as unset."""
    variables = {name: text.strip() for name, text in environment.items() if text.strip()}
    faults: list[str] = []
    dev = _dev_stack(variables, faults)
    merged = _with_defaults(variables, dev.env if dev else {})
    temporal, otel = _named("TEMPORAL_", merged), _named("OTEL_", variables)
    surroundings = Surroundings(temporal, otel, dev, "" if dev or faults else _passed_over(variables))
    return Variables(_read_ours(merged, known_names, secret, faults), surroundings, tuple(faults))


def point_at(environment: MutableMapping[str, str], note: Path) -> None:
    """Make an environment select the laptop stack of this note. The stack's values win, except for those that concern
    only the reader.
    """
    try:
        stack_names = json.loads(note.read_text())["env"].keys() - _OF_THE_READER
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        stack_names = set()  # `gather` names the damaged note.
    for name in tuple(environment):
        server = name.startswith("TEMPORAL_") and name not in VERSIONING
        if server or name in stack_names or name.removesuffix(_FILE) in stack_names:
            del environment[name]
    environment[f"{PREFIX}DATA_DIR"] = str(note.parent)


def dev_folder(folder: Path) -> Path:
    """The data folder for `--dev FOLDER`: itself, or the usual one in it."""
    usual = folder / DATA_DIR
    return usual if (usual / DEV_FILE).is_file() else folder


def _named(prefix: str, variables: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in variables.items() if name.startswith(prefix)}


def _dev_stack(variables: Mapping[str, str], faults: list[str]) -> DevStack | None:
    path = _dev_file(variables)
    if path is None or any(name in variables for name in _ELSEWHERE):
        return None
    try:
        note = json.loads(path.read_text())
        env = {str(name): str(text) for name, text in note["env"].items()}
        return DevStack(env=env, **{name: str(note[name]) for name in ("temporal", "web_ui", "sandbox", "receiver")})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        faults.append(f"{path}: cannot be read; delete it, or start `countersign dev` again")
        return None


def _passed_over(variables: Mapping[str, str]) -> str:
    note = _dev_file(variables)
    elsewhere = next((name for name in _ELSEWHERE if name in variables), None)
    if note is None or elsewhere is None:
        return ""
    stack = note.parent
    return f"{elsewhere} is set, so the stack of {stack} is not meant: unset it, or type `countersign --dev {stack} …`"


def _dev_file(variables: Mapping[str, str]) -> Path | None:
    """The note of the named folder's stack, else of this folder or the nearest parent; those of other users are
    ignored.
    """
    if named := variables.get(f"{PREFIX}DATA_DIR"):
        return note if (note := Path(named) / DEV_FILE).is_file() else None
    working_folder = Path.cwd()
    notes = (folder / DATA_DIR / DEV_FILE for folder in (working_folder, *working_folder.parents))
    return next((note for note in notes if note.is_file() and note.stat().st_uid == os.getuid()), None)


def _with_defaults(variables: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, str]:
    """`variables` win, also with `NAME_FILE` over a default's `NAME`, and vice versa."""
    set_names = {name.removesuffix(_FILE) for name in variables}
    return {name: text for name, text in defaults.items() if name.removesuffix(_FILE) not in set_names} | dict(
        variables
    )


def _read_ours(
    merged: Mapping[str, str], known_names: Collection[str], secret: Collection[str], faults: list[str]
) -> dict[str, str]:
    values: dict[str, str] = {}
    for variable in sorted(merged):
        name = variable.removeprefix(PREFIX)
        of_file = name.removesuffix(_FILE)
        if name == variable:
            continue
        if name in known_names:
            values[name] = merged[variable]
        elif of_file == name or of_file not in secret:
            faults.append(f"{variable}: no such setting{_did_you_mean(name, known_names)}")
        elif f"{PREFIX}{of_file}" in merged:
            faults.append(f"{variable}: set either this or {PREFIX}{of_file}, not both")
        else:
            values[of_file] = _content(variable, Path(merged[variable]), faults)
    return values


def _content(variable: str, path: Path, faults: list[str]) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(_SECRET_FILE_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text:
        faults.append(f"{variable}: must name a readable text file that is not empty")
    return text


def _did_you_mean(name: str, known_names: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known_names, n=1)
    return f"; did you mean {PREFIX}{close[0]}?" if close else ""
