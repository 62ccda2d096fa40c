"""What builds and checks the image, as far as it needs no image."""

import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from deploy.image import healthcheck
from deploy.image.build import ROOT, version_of
from deploy.image.supply_chain import fits


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT License", True),
        ("Apache-2.0 AND CNRI-Python", True),
        ("GPL-3.0 OR MIT", True),
        ("BSD License; Apache Software License", True),
        ("Apache-2.0 AND GPL-3.0", False),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
        ("UNKNOWN", False),
    ],
)
def test_a_licence_is_allowed_by_each_of_its_parts_or_one_of_its_choices(licence: str, allowed: bool) -> None:
    assert fits(licence) is allowed


def test_a_version_names_its_commit() -> None:
    assert version_of("0123456789abcdef").endswith("+g0123456")
    assert "+" not in version_of("")


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_healthcheck_asks_where_the_process_answers(
    status: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Probe(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Probe) as server:
        Thread(target=server.handle_request).start()
        monkeypatch.setenv("COUNTERSIGN_HEALTH_BIND", f"0.0.0.0:{server.server_port}")
        assert healthcheck.main() == code


def test_what_the_dockerfile_copies_is_in_the_context() -> None:
    """The list of what is not ignored names files that exist."""
    ignore_lines = (ROOT / "deploy" / "image" / "Dockerfile.dockerignore").read_text().splitlines()
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    top = {line.partition("/")[0] for line in tracked.stdout.splitlines()}
    assert {line.removeprefix("!") for line in ignore_lines if line.startswith("!")} <= top


def test_secrets_beside_the_compose_file_are_never_in_the_context() -> None:
    """What is not to be committed there does not come into a layer either: the last line that fits counts."""
    lines = (ROOT / "deploy" / "image" / "Dockerfile.dockerignore").read_text().splitlines()
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    secret = {line.strip("/") for line in ignored if line.startswith("/deploy/")}
    assert {"deploy/.env", "deploy/secrets"} <= secret
    assert secret <= set(lines[lines.index("!deploy") :])
