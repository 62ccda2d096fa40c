"""The environment of the laptop stack: what its processes, and the commands of a second terminal, are told.

Whatever the shell says about another Temporal server or another tenant is left outside: a stack on a laptop must never
reach for either.
"""

import base64
import os
from collections.abc import Mapping
from pathlib import Path

from deploy.folder import Kept
from starter import modules

_OUTSIDE = ("TEMPORAL_", "COUNTERSIGN_", "SANDBOX_")
_BUILD = "TEMPORAL_WORKER_BUILD_ID"
_VERSIONING = (_BUILD, "TEMPORAL_DEPLOYMENT_NAME")
_FILES_OF_OURS = ("COUNTERSIGN_PEOPLE", "COUNTERSIGN_POLICIES", "COUNTERSIGN_COMPANY_LOGO")
_WORDS_OF_OURS = ("COUNTERSIGN_LOG_LEVEL", "COUNTERSIGN_COMPANY", "COUNTERSIGN_PREVIEW")
_CONVERSION_SECONDS = "0.2"
_CALLS_A_SECOND = "200"
_TENANT = "acme"
_COMPANY = "Northwind"


def base(shell: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The shell's variables without those that point outside, and the way to this project's own modules."""
    inside = {name: text for name, text in shell.items() if not name.startswith(_OUTSIDE)}
    return {**modules.environment(inside), "PYTHONUNBUFFERED": "1"}


def of_sandbox(kept: Kept, folder: Path) -> dict[str, str]:
    """`SANDBOX_*`: the vendors' side of the secrets."""
    return {
        "SANDBOX_TENANT": _TENANT,
        "SANDBOX_DATA": str(folder / "sandbox"),
        "SANDBOX_CLIENT_SECRET": kept.secrets.signature_client,
        "SANDBOX_PUSH_CLIENT_SECRET": kept.secrets.push_client,
        "SANDBOX_MRA_PASSWORD": kept.secrets.messaging,
        "SANDBOX_CALLBACK_SECRET": kept.secrets.callback,
        "SANDBOX_CONVERSION_DELAY": _CONVERSION_SECONDS,
    }


def of_countersign(kept: Kept, folder: Path, host: str, shell: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`COUNTERSIGN_*` and `TEMPORAL_*` of this stack; the shell's own people, catalogue and log level are respected."""
    sandbox, receiver = url(host, kept.ports.sandbox), url(host, kept.ports.receiver)
    return {
        "TEMPORAL_ADDRESS": authority(host, kept.ports.temporal),
        "TEMPORAL_NAMESPACE": "default",
        "COUNTERSIGN_DATA_DIR": str(folder),
        "COUNTERSIGN_COMPANY": _COMPANY,
        "COUNTERSIGN_WEB_UI": url(host, kept.ports.web_ui),
        "COUNTERSIGN_PEOPLE": str(folder / "example" / "people.yaml"),
        **_of_signature(kept, sandbox),
        **_of_push(kept, sandbox),
        **_of_messaging(kept, sandbox),
        "COUNTERSIGN_WEBHOOK_URL": receiver,
        "COUNTERSIGN_WEBHOOK_BIND": authority(host, kept.ports.receiver),
        "COUNTERSIGN_WEBHOOK_SECRETS": kept.secrets.callback,
        "COUNTERSIGN_WEBHOOK_SEGMENT": kept.secrets.segment,
        "COUNTERSIGN_LINK_BASE": receiver,
        "COUNTERSIGN_LINK_SECRET": kept.secrets.link,
        "COUNTERSIGN_OPERATORS": "directors",
        "COUNTERSIGN_HANDOFF_HOSTS": authority(host, kept.ports.sandbox),
        "COUNTERSIGN_HANDOFF_SECRETS": f"finance={finance_secret(kept)}",
        **_respected(shell),
    }


def finance_secret(kept: Kept) -> str:
    """The Standard Webhooks secret that signs the calls to the target `finance`."""
    return "whsec_" + base64.b64encode(kept.secrets.finance.encode()).decode()


def url(host: str, port: int) -> str:
    """http to this machine."""
    return f"http://{authority(host, port)}"


def authority(host: str, port: int) -> str:
    """`host:port`, an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def versioning(shell: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Worker Versioning, when the shell names a build: for the worker alone."""
    return {name: shell[name] for name in _VERSIONING if shell.get(name)} if shell.get(_BUILD) else {}


def metrics(host: str, port: int, shell: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Where one process offers its metrics, when the shell wants Prometheus: at one port there is room for one."""
    if shell.get("OTEL_METRICS_EXPORTER", "").strip() != "prometheus":
        return {}
    bracketed = authority(host, port).rpartition(":")[0]
    return {"OTEL_EXPORTER_PROMETHEUS_HOST": bracketed, "OTEL_EXPORTER_PROMETHEUS_PORT": str(port)}


def _of_signature(kept: Kept, sandbox: str) -> dict[str, str]:
    return {
        "COUNTERSIGN_SIGNATURE_URL": sandbox,
        "COUNTERSIGN_SIGNATURE_TOKEN_URL": f"{sandbox}/otdstenant/{_TENANT}/oauth2/token",
        "COUNTERSIGN_SIGNATURE_CLIENT_ID": "countersign",
        "COUNTERSIGN_SIGNATURE_CLIENT_SECRET": kept.secrets.signature_client,
        "COUNTERSIGN_SIGNATURE_FROM_EMAIL": "legal-desk@supplier.test",
        "COUNTERSIGN_SIGNATURE_MAX_RPS": _CALLS_A_SECOND,
    }


def _of_push(kept: Kept, sandbox: str) -> dict[str, str]:
    return {
        "COUNTERSIGN_PUSH_DIALECT": "fcm_v1",
        "COUNTERSIGN_PUSH_URL": sandbox,
        "COUNTERSIGN_PUSH_PROJECT": "countersign",
        "COUNTERSIGN_PUSH_TOKEN_URL": f"{sandbox}/push/oauth2/token",
        "COUNTERSIGN_PUSH_CLIENT_ID": "countersign-push",
        "COUNTERSIGN_PUSH_CLIENT_SECRET": kept.secrets.push_client,
    }


def _of_messaging(kept: Kept, sandbox: str) -> dict[str, str]:
    return {
        "COUNTERSIGN_MRA_URL": sandbox,
        "COUNTERSIGN_MRA_USER": "countersign",
        "COUNTERSIGN_MRA_PASSWORD": kept.secrets.messaging,
    }


def _respected(shell: Mapping[str, str]) -> dict[str, str]:
    files = {name: str(Path(shell[name]).absolute()) for name in _FILES_OF_OURS if shell.get(name)}
    return {**files, **{name: shell[name] for name in _WORDS_OF_OURS if shell.get(name)}}
