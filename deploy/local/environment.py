"""The environment of the laptop stack and of a second terminal. Our settings in the shell are passed on, except those
that the stack sets itself, which are refused. Another Temporal server or tenant must never be reached.
"""

import base64
import ipaddress
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Final, get_args

from deploy.local.folder import FolderState
from deploy.local.processes import StackFailure
from starter.boot import processes
from starter.config.environment import PREFIX, VERSIONING
from starter.config.settings import PEOPLE_IN_DATABASE, named_fields

_OUTSIDE = ("TEMPORAL_", "COUNTERSIGN_", "SANDBOX_")
_FILE = "_FILE"
_FOLDER = f"{PREFIX}DATA_DIR"
LOOKS: Final = ("COMPANY", "COMPANY_LOGO", "CONTACT", "PREVIEW", "LOG_LEVEL")
"""Settings that change only the appearance: the demo takes no others."""
MUST_SET: Final = (
    *("SIGNATURE_URL", "SIGNATURE_TOKEN_URL", "SIGNATURE_TOKEN_AUTH", "SIGNATURE_GRANT", "SIGNATURE_CLIENT_ID"),
    *("SIGNATURE_CLIENT_SECRET", "SIGNATURE_USERNAME", "SIGNATURE_PASSWORD", "SIGNATURE_SCOPE"),
    *("SIGNATURE_SUBSCRIPTION", "PUSH_DIALECT", "PUSH_URL", "PUSH_SEND_PATH", "PUSH_PROJECT", "PUSH_AUTH"),
    *("PUSH_TOKEN_URL", "PUSH_CLIENT_ID", "PUSH_CLIENT_SECRET", "PUSH_CREDENTIALS_FILE", "PUSH_APP", "PUSH_APP_KEY"),
    *("MRA_URL", "MRA_USER", "MRA_PASSWORD", "WEBHOOK_URL", "WEBHOOK_BIND", "WEBHOOK_SECRETS", "WEBHOOK_SEGMENT"),
    *(
        "LINK_BASE",
        "LINK_SECRET",
        "LINK_SECRETS",
        "PERSON_ID_SECRET",
        "WEB_UI",
        "HEALTH_BIND",
        "CODEC",
        "CODEC_ORIGIN",
        "CODEC_TOKEN",
    ),
)
"""Settings that only the stack knows: addresses, secrets, the sandbox's interface; or that two of its processes would
need each its own of.
"""
_CONVERSION_SECONDS = "0.2"
_CALLS_A_SECOND = "200"
_NOTICES = "50"
"""Of an hour to one person: who tries things out starts many, and is asked in all of them."""
_TENANT = "acme"
_COMPANY = "Northwind"
_LOGO = "northwind.svg"
_CONTACT = "legal-desk@supplier.test"
REQUEST: Final = Path("example", "msa.yaml")
"""The example request in the data folder."""
_SOURCE: Final = Path(__file__).parent.with_name("examples")
_SANDBOX: Final = re.compile(r"https?://[^/\s\"']+(?=/_sandbox/)")
LOOPBACK: Final = "127.0.0.1"


def base(shell: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The shell's variables without those that point outside, with our modules first."""
    inside = {name: text for name, text in shell.items() if not name.startswith(_OUTSIDE)}
    return {**processes.environment(inside), "PYTHONUNBUFFERED": "1"}


def of_sandbox(folder_state: FolderState, folder: Path, notices: str = _NOTICES) -> dict[str, str]:
    """`SANDBOX_*`: the vendors' side of the secrets; and after how many `notices` an hour a phone's page says so."""
    return {
        "SANDBOX_TENANT": _TENANT,
        "SANDBOX_DATA": str(folder / "sandbox"),
        "SANDBOX_CLIENT_SECRET": folder_state.secrets.signature_client,
        "SANDBOX_PUSH_CLIENT_SECRET": folder_state.secrets.push_client,
        "SANDBOX_MRA_PASSWORD": folder_state.secrets.messaging,
        "SANDBOX_CALLBACK_SECRET": folder_state.secrets.callback,
        "SANDBOX_CONVERSION_DELAY": _CONVERSION_SECONDS,
        "SANDBOX_NOTICES": notices,
    }


def of_countersign(
    folder_state: FolderState, folder: Path, host: str, shell: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """`COUNTERSIGN_*` and `TEMPORAL_*` of this stack and the shell; hosts, and secrets of the hand-off, are merged.
    `StackFailure` for settings that it must set itself.
    """
    given_settings = dict(_read_given_settings(shell))
    sandbox, receiver = url(host, folder_state.ports.sandbox), url(host, folder_state.ports.receiver)
    hosts, secrets = authority(host, folder_state.ports.sandbox), f"finance={finance_secret(folder_state)}"
    defaults = {
        "TEMPORAL_ADDRESS": authority(host, folder_state.ports.temporal),
        "TEMPORAL_NAMESPACE": "default",
        "COUNTERSIGN_DATA_DIR": str(folder),
        **_looks(folder, given_settings),
        "COUNTERSIGN_WEB_UI": url(host, folder_state.ports.web_ui),
        "COUNTERSIGN_PEOPLE": str(folder / "example" / "people.yaml"),
        **_of_signature(folder_state, sandbox),
        **_of_push(folder_state, sandbox),
        **_of_messaging(folder_state, sandbox),
        **_of_codec(folder_state, host),
        "COUNTERSIGN_WEBHOOK_URL": receiver,
        "COUNTERSIGN_WEBHOOK_BIND": authority(host, folder_state.ports.receiver),
        "COUNTERSIGN_WEBHOOK_SECRETS": folder_state.secrets.callback,
        "COUNTERSIGN_WEBHOOK_SEGMENT": folder_state.secrets.segment,
        "COUNTERSIGN_LINK_BASE": receiver,
        "COUNTERSIGN_LINK_SECRET": folder_state.secrets.link,
        "COUNTERSIGN_NOTICES_MOST": _NOTICES,
        "COUNTERSIGN_OPERATORS": "directors",
        "COUNTERSIGN_ACTORS": "claimed",
    }
    merged = {
        "COUNTERSIGN_HANDOFF_HOSTS": hosts,
        "COUNTERSIGN_HANDOFF_SECRETS": secrets,
        "COUNTERSIGN_PUSH_WEB_HOSTS": hosts,
    }
    for name, stack_value in merged.items():
        defaults[name] = stack_value
        if name in given_settings:
            given_settings[name] = f"{stack_value},{given_settings[name]}"
    unread = {name.removesuffix(_FILE) for name in given_settings if name.endswith(_FILE)}
    return {name: text for name, text in defaults.items() if name not in unread} | given_settings


def finance_secret(folder_state: FolderState) -> str:
    """The Standard Webhooks secret for calls to the target `finance`."""
    return "whsec_" + base64.b64encode(folder_state.secrets.finance.encode()).decode()


def url(host: str, port: int) -> str:
    return f"http://{authority(host, port)}"


def authority(host: str, port: int) -> str:
    """`host:port`, an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def versioning(shell: Mapping[str, str] = os.environ) -> dict[str, str]:
    """For the worker only, if the shell names a build."""
    return {name: shell[name] for name in VERSIONING if shell.get(name)} if shell.get(VERSIONING[0]) else {}


def metrics(host: str, port: int, shell: Mapping[str, str] = os.environ) -> dict[str, str]:
    """One process's address, if the shell wants Prometheus."""
    if shell.get("OTEL_METRICS_EXPORTER", "").strip() != "prometheus":
        return {}
    bracketed = authority(host, port).rpartition(":")[0]
    return {"OTEL_EXPORTER_PROMETHEUS_HOST": bracketed, "OTEL_EXPORTER_PROMETHEUS_PORT": str(port)}


def looks_of(shell: Mapping[str, str]) -> dict[str, str]:
    """The shell without settings that change more than the appearance."""
    return {
        name: text for name, text in shell.items() if not name.startswith(PREFIX) or name.removeprefix(PREFIX) in LOOKS
    }


def lay_out(data: Path, sandbox: str) -> None:
    """Write missing examples; in existing ones update the sandbox's address."""
    folder = (data / REQUEST).parent
    folder.mkdir(parents=True, exist_ok=True)
    for source in _SOURCE.iterdir():
        target = folder / source.name
        if not target.exists():
            _write(source, target, sandbox)
        elif source.suffix == ".yaml":
            _readdress(target, sandbox)


def only_loopback(host: str) -> str:
    """The loopback address of `host`; `StackFailure` for any other."""
    try:
        address = ipaddress.ip_address(LOOPBACK if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise StackFailure(
            f"{host} is not a loopback address: the dev server skips security checks, so it stays on this machine"
        )
    return str(address)


def _looks(folder: Path, given_settings: Mapping[str, str]) -> dict[str, str]:
    """The company of the examples, and first pages of documents if the library is installed. Another company's name
    gets neither our logo nor our contact.
    """
    preview = {"COUNTERSIGN_PREVIEW": "on" if find_spec("pypdfium2") else "off"}
    if "COUNTERSIGN_COMPANY" in given_settings:
        return preview
    logo = str(folder / "example" / _LOGO)
    return preview | {
        "COUNTERSIGN_COMPANY": _COMPANY,
        "COUNTERSIGN_COMPANY_LOGO": logo,
        "COUNTERSIGN_CONTACT": _CONTACT,
    }


def _of_signature(folder_state: FolderState, sandbox: str) -> dict[str, str]:
    return {
        "COUNTERSIGN_SIGNATURE_URL": sandbox,
        "COUNTERSIGN_SIGNATURE_TOKEN_URL": f"{sandbox}/otdstenant/{_TENANT}/oauth2/token",
        "COUNTERSIGN_SIGNATURE_CLIENT_ID": "countersign",
        "COUNTERSIGN_SIGNATURE_CLIENT_SECRET": folder_state.secrets.signature_client,
        "COUNTERSIGN_SIGNATURE_FROM_EMAIL": "legal-desk@supplier.test",
        "COUNTERSIGN_SIGNATURE_MAX_RPS": _CALLS_A_SECOND,
    }


def _of_push(folder_state: FolderState, sandbox: str) -> dict[str, str]:
    return {
        "COUNTERSIGN_PUSH_DIALECT": "fcm_v1",
        "COUNTERSIGN_PUSH_URL": sandbox,
        "COUNTERSIGN_PUSH_PROJECT": "countersign",
        "COUNTERSIGN_PUSH_TOKEN_URL": f"{sandbox}/push/oauth2/token",
        "COUNTERSIGN_PUSH_CLIENT_ID": "countersign-push",
        "COUNTERSIGN_PUSH_CLIENT_SECRET": folder_state.secrets.push_client,
    }


def _of_messaging(folder_state: FolderState, sandbox: str) -> dict[str, str]:
    return {
        "COUNTERSIGN_MRA_URL": sandbox,
        "COUNTERSIGN_MRA_USER": "countersign",
        "COUNTERSIGN_MRA_PASSWORD": folder_state.secrets.messaging,
    }


def _of_codec(folder_state: FolderState, host: str) -> dict[str, str]:
    """The Web UI of this machine reads what is encrypted, and so does who knows the token."""
    if not folder_state.secrets.payloads:
        return {}
    return {
        "COUNTERSIGN_PAYLOAD_KEYS": f"laptop={folder_state.secrets.payloads}",
        "COUNTERSIGN_CODEC": "on",
        "COUNTERSIGN_CODEC_ORIGIN": url(host, folder_state.ports.web_ui),
        "COUNTERSIGN_CODEC_TOKEN": folder_state.secrets.codec,
    }


def _read_given_settings(shell: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Our settings in the shell, with absolute paths; `StackFailure` for those that the stack sets itself."""
    own_settings = {name: text.strip() for name, text in shell.items() if name.startswith(PREFIX) and text.strip()}
    own_settings.pop(_FOLDER, None)  # It chose the folder, unless the command line did.
    must = [name for name in own_settings if {_plain(name), _plain(name).removesuffix(_FILE)} & {*MUST_SET}]
    if must:
        raise StackFailure("\n".join(f"{name}: the stack sets this itself; unset it" for name in sorted(must)))
    files = {name for name, field in named_fields() if Path in (field.annotation, *get_args(field.annotation))}
    for name, text in own_settings.items():
        is_file = _plain(name) in files or name.endswith(_FILE) or (_plain(name) == "STORE" and "://" not in text)
        yield name, str(Path(text).absolute()) if is_file and text != str(PEOPLE_IN_DATABASE) else text


def _plain(name: str) -> str:
    return name.removeprefix(PREFIX)


def _write(source: Path, target: Path, sandbox: str) -> None:
    if source.suffix == ".yaml":
        target.write_text(Template(source.read_text()).substitute(SANDBOX=sandbox))
    else:
        shutil.copyfile(source, target)


def _readdress(file: Path, sandbox: str) -> None:
    old_text = file.read_bytes().decode(errors="surrogateescape")
    new_text = _SANDBOX.sub(lambda _: sandbox, old_text)
    if new_text != old_text:
        file.write_bytes(new_text.encode(errors="surrogateescape"))
