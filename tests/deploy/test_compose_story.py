"""The containers of compose.yaml as processes: our commands with exactly their environment, secrets as files, a request
through. Addresses and paths inside of containers are those of this machine; PostgreSQL is Debian's, Temporal the dev
server.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from deploy.local.environment import of_countersign
from deploy.local.processes import Program, RunningProgram, answers
from deploy.validate import HERE
from starter.boot import processes as modules
from tests.deploy.containers import Container, of_compose
from tests.faults.population import CONTRACT, PDF
from tests.faults.town import HOST, SANDBOX, TEMPORAL, Conditions, Town, eventually, laid_out
from tests.plain_http import plain_client
from tests.postgresql import ADMINISTRATOR, PostgreSQL, program
from tests.servers import DEV_SERVER, free_ports

pytestmark = [pytest.mark.long, pytest.mark.real_server, pytest.mark.asyncio(loop_scope="module")]

ROLE: Final = "signatures"
"""Not `countersign`, who is the administrator of the tests' PostgreSQL."""
READY_WITHIN: Final = 60.0
ENDS_WITHIN: Final = 45.0


@dataclass(frozen=True)
class Composed:
    """The machine on which compose.yaml runs."""

    town: Town
    folder: Path
    containers: Mapping[str, Container]
    ports: Mapping[str, tuple[int, int, int]]
    """Of each service at work: of probes, of pages, of metrics."""

    def environment(self, service: str) -> dict[str, str]:
        """The container's own; what is a path or an address inside of it is one of this machine."""
        environment = {name: self._to_local(text) for name, text in self.containers[service].environment.items()}
        ports = self.ports.get(service)
        if ports:
            health, pages, metrics = ports
            environment |= {
                "COUNTERSIGN_HEALTH_BIND": f"{HOST}:{health}",
                "OTEL_EXPORTER_PROMETHEUS_PORT": str(metrics),
            }
            environment["OTEL_EXPORTER_PROMETHEUS_HOST"] = HOST
            if "COUNTERSIGN_WEBHOOK_BIND" in environment:
                environment["COUNTERSIGN_WEBHOOK_BIND"] = f"{HOST}:{pages}"
        # As in a container nothing else is set; nobody takes the traces.
        system = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return modules.environment({**system, **environment, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{HOST}:9"})

    def _to_local(self, text: str) -> str:
        for inside, local in (
            ("/run/secrets/", f"{self.folder}/secrets/"),
            ("/etc/countersign/", f"{HERE}/config/"),
            ("/data", f"{self.folder}/data"),
        ):
            text = re.sub(f"^{inside}", local, text)
        return text

    def run_command(self, service: str, *arguments: str) -> str:
        """What a command says that is typed in a container."""
        ran = subprocess.run(  # noqa: S603  our own
            modules.command("starter", *arguments),
            env=self.environment(service),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=READY_WITHIN,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    async def started(self, service: str) -> RunningProgram:
        """The process of a service, ready by its probe."""
        running = await RunningProgram.start(
            Program(
                name=service,
                title=service,
                command=modules.command("starter", *self.containers[service].words),
                environment=self.environment(service),
                ready=answers(f"http://{HOST}:{self.ports[service][0]}/readyz"),
                address="",
                grace=ENDS_WITHIN,
            ),
            self.town.folder.logs,
        )
        await running.until_ready(READY_WITHIN)
        return running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def composed(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Composed]:
    """PostgreSQL, Temporal and the sandbox, set up by the scripts that the containers beside ours run."""
    folder = tmp_path_factory.mktemp("compose")
    (folder / "data").mkdir()
    async with AsyncExitStack() as closing:
        town = await laid_out(folder / "town", Conditions(), closing)
        services = ("worker", "campaign-worker", "web")
        free = iter(free_ports(3 * len(services)))
        ports = {service: (next(free), next(free), next(free)) for service in services}
        stack_settings = of_countersign(town.folder_state, folder / "data", HOST, {})
        containers = of_compose(file=variables(folder, stack_settings, f"http://{HOST}:{ports['web'][1]}"))
        url = postgresql.url(ROLE, f"{ROLE}:a b%2Fc'd")
        secrets(folder / "secrets", stack_settings, url)
        make_database(folder / "secrets" / "countersign_database", postgresql)
        closing.callback(postgresql.run, f"DROP ROLE {ROLE}")
        closing.callback(postgresql.drop, ROLE)
        await town.start(SANDBOX, TEMPORAL)
        for running in town.running.values():
            closing.push_async_callback(running.stop)
        make_namespace(stack_settings["TEMPORAL_ADDRESS"], containers["worker"].environment["TEMPORAL_NAMESPACE"])
        yield Composed(town, folder, containers, ports)


def variables(folder: Path, known: Mapping[str, str], web: str) -> Path:
    """A `.env` as somebody fills it in."""
    text = (HERE / ".env.example").read_text()
    variables_told = {
        name: known[name]
        for name in (
            *("COUNTERSIGN_SIGNATURE_URL", "COUNTERSIGN_SIGNATURE_TOKEN_URL", "COUNTERSIGN_SIGNATURE_CLIENT_ID"),
            *("COUNTERSIGN_SIGNATURE_FROM_EMAIL", "TEMPORAL_ADDRESS"),
        )
    }
    lines = [
        *text.splitlines(),
        *(f"{name}={value}" for name, value in variables_told.items()),
        f"COUNTERSIGN_WEBHOOK_URL={web}",
    ]
    line_by_name = {line.partition("=")[0]: line for line in lines if re.match("[A-Z_]+=", line)}
    file = folder / ".env"
    file.write_text("\n".join(line_by_name.values()))
    return file


def secrets(folder: Path, known: Mapping[str, str], database: str) -> None:
    """The files that compose.yaml asks for."""
    folder.mkdir()
    secret_texts = {
        "signature_client_secret": known["COUNTERSIGN_SIGNATURE_CLIENT_SECRET"],
        "webhook_secrets": known["COUNTERSIGN_WEBHOOK_SECRETS"],
        "webhook_segment": known["COUNTERSIGN_WEBHOOK_SEGMENT"],
        "link_secrets": known["COUNTERSIGN_LINK_SECRET"],
        "person_id_secret": known["COUNTERSIGN_LINK_SECRET"],
        "payload_keys": "k1=" + "A" * 43 + "=",
        "countersign_database": database,
    }
    for name, text in secret_texts.items():
        (folder / name).write_text(f"{text}\n")


def make_database(secret: Path, postgresql: PostgreSQL) -> None:
    """By the script that PostgreSQL's image runs."""
    psql = program("psql")
    assert psql
    connection = postgresql.url("postgres").rpartition("@")[2]
    host, port = connection.partition("/")[0].split(":")
    environment = {"PGHOST": host, "PGPORT": port, "POSTGRES_USER": ADMINISTRATOR}
    run_script("postgres/countersign.sh", psql, COUNTERSIGN_DATABASE_FILE=str(secret), **environment)


def make_namespace(address: str, namespace: str) -> None:
    """By the script that its container runs, twice: a stack is started more than once."""
    for _ in range(2):
        run_script(
            "temporal/namespace.sh", str(DEV_SERVER), TEMPORAL_ADDRESS=address, NAMESPACE=namespace, RETENTION="30d"
        )


def run_script(script: str, tool: str, **environment: str) -> None:
    shell = shutil.which("sh")
    assert shell
    path = f"{Path(tool).parent}:{os.environ['PATH']}"
    ran = subprocess.run(  # noqa: S603  our own
        (shell, str(HERE / script)),
        env={"PATH": path, "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=READY_WITHIN,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


async def test_the_containers_set_up_become_ready_take_a_request_through_and_end_in_order(composed: Composed) -> None:
    for _ in range(2):
        assert "database" in composed.run_command("init", "init")
    running = {service: await composed.started(service) for service in composed.ports}
    try:
        await a_request_through(composed)
        async with plain_client() as http:
            for service, (health, _, metrics) in composed.ports.items():
                assert (await http.get(f"http://{HOST}:{health}/healthz")).status_code == 200, service
                assert "temporal_" in (await http.get(f"http://{HOST}:{metrics}/metrics")).text, service
        rows = composed.town.log("worker") + composed.town.log("web")
        assert "Traceback" not in rows
    finally:
        for program in running.values():
            await program.stop()
    assert {service: program.exit_code for service, program in running.items()} == dict.fromkeys(running, 0)


async def a_request_through(composed: Composed) -> None:
    """One that is started in a container and signed at the sandbox, whose callback tells."""
    file = composed.folder / "request.yaml"
    (composed.folder / CONTRACT).write_bytes(PDF)
    file.write_text(
        "id: composed-1\nkind: customer-contract\nrequester: on-call\nsigners: [{person: legal-desk}]\n"
        f"document: {{file: {CONTRACT}, name: Master services agreement}}\n"
    )
    composed.run_command("worker", "request", "start", str(file))
    vendor = composed.town.vendor
    [signer] = await eventually(lambda: vendor.waiting("composed-1"))
    assert await vendor.sign(signer)

    async def is_signed() -> bool:
        return bool(
            json.loads(composed.run_command("web", "request", "show", "composed-1", "--json"))["status"] == "signed"
        )

    await eventually(is_signed)
