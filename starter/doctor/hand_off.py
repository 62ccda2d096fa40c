"""Whether calls to other systems are signed: the addresses in the catalogue beside the secrets in the settings."""

import asyncio
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

from activities.policies.catalogue import Catalogue
from starter.doctor.health import Part, doubtful, fine
from starter.settings import Settings

_SECRETS: Final = "COUNTERSIGN_HANDOFF_SECRETS"


async def hand_off(settings: Settings) -> Part:
    """Whether each target with a `url` has a secret; a secret without a target may be for one of a request file."""
    called = await asyncio.to_thread(_called, settings.policies)
    signed = settings.handoff.secrets.keys()
    if not signed:
        whose = _names(called) or "other systems"
        return doubtful("hand-off", f"{_SECRETS} is empty: calls to {whose} go unsigned")
    unknown = _names(signed - called)
    aside = f"; no kind of the catalogue calls {unknown}, only a request file may" if unknown else ""
    if unsigned := _names(called - signed):
        return doubtful("hand-off", f"{_SECRETS} has no secret for {unsigned}: calls to it go unsigned{aside}")
    return fine("hand-off", f"calls are signed for {_names(signed)}{aside}")


def _called(policies: Path) -> set[str]:
    """The names of all targets of the catalogue that are told by a call to their address."""
    catalogue = Catalogue.read(policies)
    resolved = (catalogue.resolve(kind).policy for kind in catalogue.kinds)
    return {target.target for policy in resolved for target in policy.handoff if target.url}


def _names(targets: AbstractSet[str]) -> str:
    return ", ".join(sorted(targets))
