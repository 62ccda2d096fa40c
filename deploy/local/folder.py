"""The data folder of the laptop stack: `kept.json` has ports and secrets for the next start, `dev.json` the addresses
while it runs; owner only.
"""

import base64
import fcntl
import json
import os
import random
import secrets
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, Field, ValidationError

from deploy.local.processes import StackFailure
from starter.config.environment import DEV_FILE

_OWNER_ONLY: Final = 0o600
_LOCK: Final = "lock"
_PORTS: Final = range(20_000, 32_768)
"""Below the ephemeral range: an outgoing connection could take such a port between choosing and listening."""
_TRIES: Final = 100


@dataclass(frozen=True)
class Ports:
    temporal: int
    web_ui: int
    temporal_http: int
    temporal_metrics: int
    sandbox: int
    receiver: int
    receiver_metrics: int
    worker_metrics: int

    @classmethod
    def free(cls, host: str, wished: Mapping[str, int]) -> Self:
        """The wished ports where free, else others."""
        with ExitStack() as held_ports:
            return cls(**{field.name: _hold(host, wished.get(field.name), held_ports) for field in fields(cls)})


@dataclass(frozen=True)
class Secrets:
    """Secrets between the parts of the stack; made once per folder."""

    link: str
    segment: str
    callback: str
    signature_client: str
    push_client: str
    messaging: str
    finance: str
    codec: str
    payloads: str = ""
    """The key of payloads, if they are encrypted: then for good, since nobody reads those that are without it."""

    @classmethod
    def made(cls, known_secrets: Mapping[str, str], *, encrypted: bool = False) -> Self:
        """The known ones, and new ones for the rest."""
        secret_by_field = {
            field.name: known_secrets.get(field.name) or secrets.token_urlsafe(32) for field in fields(cls)
        }
        key = known_secrets.get("payloads") or (base64.b64encode(secrets.token_bytes(32)).decode() if encrypted else "")
        return cls(**{**secret_by_field, "payloads": key})


@dataclass(frozen=True)
class FolderState:
    """The content of `kept.json`."""

    ports: Ports
    secrets: Secrets


class DataFolder:
    """One folder, used by one stack at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def dev_file(self) -> Path:
        return self.path / DEV_FILE

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Lock the folder until this process ends; `StackFailure` if another stack has it. Removes a killed stack's
        addresses.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
        except OSError as error:
            raise StackFailure(f"{self.path} cannot be used: {error.strerror}") from error
        try:
            self._lock(lock)
            self.dev_file.unlink(missing_ok=True)
            yield
        finally:
            os.close(lock)

    def discard(self) -> None:
        """Unless a stack has it or is about to lock it."""
        with ExitStack() as closing, suppress(OSError):
            lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            closing.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(self.path, ignore_errors=True)

    def kept(self, host: str, *, encrypted: bool = False) -> FolderState:
        """Ports and secrets of earlier starts, completed and stored; once `encrypted`, with a key of payloads."""
        file = self.path / "kept.json"
        earlier_state = _EarlierState()
        with suppress(FileNotFoundError):
            try:
                earlier_state = _EarlierState.model_validate_json(file.read_bytes(), strict=True)
            except ValidationError:
                raise StackFailure(f"{file} cannot be read: delete it, and the next start makes a new one") from None
        folder_state = FolderState(
            Ports.free(host, earlier_state.ports), Secrets.made(earlier_state.secrets, encrypted=encrypted)
        )
        _write_whole(file, asdict(folder_state))
        return folder_state

    def _lock(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackFailure(f"a stack already runs on {self.path}; its addresses are in {self.dev_file}") from None

    @contextmanager
    def announced(self, addresses: Mapping[str, Any]) -> Iterator[None]:
        """Has `dev.json` while the block runs."""
        _write_whole(self.dev_file, addresses)
        try:
            yield
        finally:
            self.dev_file.unlink(missing_ok=True)


class _EarlierState(BaseModel):
    """`kept.json` of an earlier start, perhaps of another version."""

    ports: Mapping[str, Annotated[int, Field(ge=1, le=65535)]] = {}
    secrets: Mapping[str, str] = {}


def _hold(host: str, wished: int | None, held_ports: ExitStack) -> int:
    # All stay bound until the last is chosen, else two could be the same.
    for port in (wished, *random.SystemRandom().sample(_PORTS, _TRIES)):
        if port is None:
            continue
        listener = held_ports.enter_context(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
        # Those of the last start may still be closing; on a new port this would allow two listeners.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(port == wished))
        with suppress(OSError):
            listener.bind((host, port))
            return port
    raise StackFailure(f"no free port on {host}")


def _write_whole(file: Path, content: Mapping[str, Any]) -> None:
    half = file.with_name(f"{file.name}.half")
    half.touch(mode=_OWNER_ONLY)
    half.write_text(json.dumps(content, indent=1) + "\n")
    half.replace(file)
