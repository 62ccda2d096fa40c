"""The key that signs evidence, and what makes packs with it."""

import asyncio
from pathlib import Path

from activities.evidence.pack import Packer
from activities.evidence.signing import PUBLIC, EvidenceKey, PublicKeys, UnusableKey
from activities.records.store import Store
from starter.config.settings import Settings
from starter.errors import Refusal
from starter.temporal.search_attributes import SetUp, SetUpResult


async def ensure_key(settings: Settings) -> SetUp:
    """Make the key unless there is one; list its public key."""
    file, name = settings.evidence_key, "key of evidence"
    try:
        is_created = await asyncio.to_thread(EvidenceKey.ensure, file)
    except (UnusableKey, OSError) as error:
        problem = str(error) if isinstance(error, UnusableKey) else f"{file}: {error.strerror}"
        return SetUp(name, SetUpResult.NOT_PERMITTED, f"{problem}; COUNTERSIGN_EVIDENCE_KEY_FILE names another place")
    return SetUp(name, SetUpResult.CREATED if is_created else SetUpResult.EXISTS)


def packer(settings: Settings, store: Store) -> Packer:
    """Raises `Refusal` without a key."""
    return Packer(store, key(settings))


def key(settings: Settings) -> EvidenceKey:
    """Raises `Refusal` without one."""
    try:
        return EvidenceKey.read(settings.evidence_key)
    except UnusableKey as fault:
        raise Refusal(str(fault)) from None


def public_keys(settings: Settings) -> Path:
    """The file for auditors, of all public keys that our key ever had."""
    return settings.evidence_key.with_name(settings.evidence_key.name + PUBLIC)


def trusted_keys(settings: Settings) -> PublicKeys | None:
    """What is in that file; None where there is none."""
    listed = public_keys(settings)
    try:
        return PublicKeys.read(listed) if listed.exists() else None
    except (UnusableKey, OSError) as fault:
        raise Refusal(str(fault)) from None
