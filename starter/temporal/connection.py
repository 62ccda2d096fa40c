"""Connects to Temporal, configured like the `temporal` command, with our converter and one-line errors; the context of
a command: client, store, links to the Web UI.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit

from temporalio.client import Client, Plugin
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import DatabaseAway
from activities.records.store import Store, store_at
from activities.temporal.executions import about_the_namespace
from starter.config.environment import DEV_FILE
from starter.config.settings import Settings
from starter.errors import Refusal
from starter.telemetry import telemetry
from starter.telemetry.telemetry import Telemetry
from starter.temporal.codec import data_converter
from workflows.model.commands import KnownBy

_LOCAL: Final = "localhost:7233"
_PATIENCE: Final = timedelta(seconds=5)
_PAUSES: Final = (1, 2, 4, 8, 15)
R = TypeVar("R")
_REFUSED: Final = ("Unauthenticated", "PermissionDenied")
_ANSWER: Final = "user-metadata"
"""The page of the Web UI with a workflow's own details."""
_SILENT: Final = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)


class TemporalUnreachable(Refusal):
    """No Temporal server answered at `address`."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"no Temporal server at {address}: {reason}")
        self.address = address


class TemporalConfigurationError(Refusal):
    """`TEMPORAL_*` or its file is unusable."""


async def connect(
    settings: Settings,
    *,
    identity: str,
    telemetry: Telemetry | None = None,
    lazy: bool = False,
    patience: timedelta = _PATIENCE,
    plugins: Sequence[Plugin] = (),
) -> Client:
    """`identity` shows in the Web UI. Raises `TemporalUnreachable` without an answer within `patience`,
    `TemporalConfigurationError` if refused. A `lazy` client connects at its first call; workers cannot use one.
    """
    config = connect_config(settings.surroundings.temporal)
    address = config.setdefault("target_host", _LOCAL)
    interceptors = telemetry.interceptors if telemetry else ()
    try:
        async with asyncio.timeout(patience.total_seconds()):
            return await Client.connect(
                **config,
                identity=identity,
                lazy=lazy,
                data_converter=data_converter(settings.payload_keys),
                interceptors=interceptors,
                plugins=plugins,
                runtime=telemetry.runtime if telemetry else None,
            )
    except TimeoutError:
        raise TemporalUnreachable(address, _hint(settings, "no answer")) from None
    except (RuntimeError, RPCError) as error:
        if any(code in str(error) for code in _REFUSED):
            raise TemporalConfigurationError(
                f"{address} refuses our credentials (TEMPORAL_API_KEY, TEMPORAL_TLS_*)"
            ) from error
        raise TemporalUnreachable(address, _hint(settings, _reason(error))) from error
    except ValueError as error:
        raise TemporalConfigurationError(f"TEMPORAL_ADDRESS: must be host:port ({error})") from error


async def connect_patiently(settings: Settings, *, identity: str, telemetry: Telemetry | None = None) -> Client:
    """A client for workers, which waits for the server and logs it; cancel it to give up."""
    from starter.temporal.plugin import CountersignPlugin  # noqa: PLC0415

    plugins = [CountersignPlugin(settings.payload_keys)]
    connecting = partial(connect, settings, identity=identity, telemetry=telemetry, plugins=plugins)
    return await patiently("temporal", connecting, TemporalUnreachable)


async def patiently(subject: str, call: Callable[[], Awaitable[R]], failure_type: type[Exception]) -> R:
    """Call until it raises no `failure_type`, and log the waiting; cancel it to give up."""
    import structlog  # noqa: PLC0415  no command waits for what only processes need

    logger = structlog.get_logger("countersign.temporal")
    for pause in chain(_PAUSES, repeat(_PAUSES[-1])):
        try:
            return await call()
        except failure_type as error:
            logger.warning(f"waiting for {subject}", why=str(error), next_attempt_in=f"{pause}s")
        await asyncio.sleep(pause)
    raise AssertionError


def temporal_host(settings: Settings) -> str:
    """The host of the server that is meant; raises `TemporalConfigurationError`."""
    address = connect_config(settings.surroundings.temporal).get("target_host", _LOCAL)
    return urlsplit(f"//{address}").hostname or address


def connect_config(temporal: Mapping[str, str]) -> ClientConnectConfig:
    """From `TEMPORAL_*` and the profile file. Raises `TemporalConfigurationError`, also for insecure settings."""
    if "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION" in temporal:
        raise TemporalConfigurationError(
            "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION: not supported, certificates are verified"
        )
    file = temporal.get("TEMPORAL_CONFIG_FILE")
    if file and not Path(file).is_file():
        raise TemporalConfigurationError(f"TEMPORAL_CONFIG_FILE: no such file: {file}")
    try:
        config = ClientConfig.load_client_connect_config(config_file_strict=True, override_env_vars=dict(temporal))
    except Exception as error:  # the bridge's ConfigError has no public name
        raise TemporalConfigurationError(f"TEMPORAL_*: {' '.join(str(error).split())}") from error
    if config.get("api_key") and config.get("tls") is False:
        raise TemporalConfigurationError(
            "TEMPORAL_TLS=false together with TEMPORAL_API_KEY would send the key in clear text"
        )
    return config


def web_ui(settings: Settings) -> str | None:
    """Base URL of the Web UI: as set, of the laptop stack, Temporal Cloud or a local server; else None."""
    if settings.web_ui:
        return settings.web_ui
    if settings.surroundings.dev:
        return settings.surroundings.dev.web_ui.rstrip("/")
    address = connect_config(settings.surroundings.temporal).get("target_host", _LOCAL)
    host = urlsplit(f"//{address}").hostname or ""
    if host.endswith((".tmprl.cloud", ".api.temporal.io")):
        return "https://cloud.temporal.io"
    return "http://localhost:8233" if host in ("localhost", "127.0.0.1", "::1") else None


def web_ui_link(base: str, namespace: str, workflow_id: str, run_id: str | None = None) -> str:
    """URL of a workflow in the Web UI; of a known run, the page with the answer."""
    parts = ["namespaces", quote(namespace, safe=""), "workflows", quote(workflow_id, safe="")]
    return "/".join([base.rstrip("/"), *parts, *([quote(run_id, safe=""), _ANSWER] if run_id else [])])


class TemporalRefusal(Refusal):
    """Temporal's refusal, with what to do if known."""

    def __init__(self, error: RPCError, namespace: str) -> None:
        super().__init__(_sentence(error, namespace))


@contextmanager
def refusing(namespace: str) -> Iterator[None]:
    """Converts unexpected `RPCError`s of the block to `TemporalRefusal`."""
    try:
        yield
    except RPCError as error:
        raise TemporalRefusal(error, namespace) from error


@dataclass(frozen=True)
class Context:
    """`web_ui` is the base URL of links, None if unknown. `actor` is who starts something by a command."""

    client: Client
    store: Store
    web_ui: str | None = None
    actor: str | None = None

    def url(self, workflow_id: str, run_id: str | None = None) -> str | None:
        """The workflow's page in the Web UI."""
        if self.web_ui is None:
            return None
        return web_ui_link(self.web_ui, self.client.namespace, workflow_id, run_id)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Context]:
    """The context of one command; raises `StoreFailure`, also for the schema of another version, and as `connected`.
    A database that is away is met by the commands that need it.
    """
    store = store_at(settings.store_url, settings.database_url)
    with suppress(DatabaseAway):
        await store.database.check()
    async with connected(settings) as client:
        actor = KnownBy.CLAIMED.actor(settings.acting, settings.ran_as)
        yield Context(client, store, web_ui(settings), actor)


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Client]:
    """The client of one command; raises `TemporalUnreachable`, and `TemporalRefusal` for unexpected errors."""
    with telemetry.started(settings.surroundings.otel, service="countersign") as client_telemetry:
        client = await connect(settings, identity=settings.acting, telemetry=client_telemetry)
        with refusing(client.namespace):
            yield client


def _reason(error: Exception) -> str:
    text = str(error)
    if "Connection refused" in text:
        return "connection refused"
    if "dns error" in text:
        return "the host name is not known"
    return " ".join(text.removeprefix("Failed client connect: ").split())[:300]


def _hint(settings: Settings, reason: str) -> str:
    if settings.surroundings.dev:
        return f"{reason} (address from {settings.data_dir / DEV_FILE}; start `countersign dev` again)"
    if "TEMPORAL_ADDRESS" not in settings.surroundings.temporal:
        return f"{reason} (set TEMPORAL_ADDRESS, or start `countersign dev`)"
    return reason


def _sentence(error: RPCError, namespace: str) -> str:
    if about_the_namespace(error):
        return f"namespace {namespace} does not exist: make it, or set TEMPORAL_NAMESPACE"
    heard = "did not answer:" if error.status in _SILENT else "answered"
    status, message = error.status.name.lower().replace("_", " "), " ".join(error.message.split())
    return f"Temporal {heard} {status}" + (f": {message}" if message else "")
