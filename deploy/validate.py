"""Checks the files of this folder, each by the tool that knows it, without a cluster: `python -m deploy.validate`.

A tool that is missing is skipped with a line; with REQUIRE_DEPLOY_TOOLS=1 that is a fault (.ci/run installs them).
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

HERE: Final = Path(__file__).parent
REQUIRED: Final = "REQUIRE_DEPLOY_TOOLS"
KUBERNETES: Final = "1.37.0"
"""The version whose schemas are looked at."""
NGINX_FILES: Final = ("machine.conf", "compose.conf", "cluster.conf")
_WITHIN: Final = 120
"""Seconds for one tool on one file."""
_POD_OWNERS: Final = ("temporal.io/v1alpha1", "WorkerDeployment")
"""Has pods like a Deployment, and no schema in Kubernetes."""
Manifest = Mapping[str, Any]


class ToolMissing(Exception):
    """A program or module that is not here, with the word by which it is installed."""


@dataclass(frozen=True)
class Check:
    """`faults` looks at the folder `deploy`, and gives a line for each fault; raises `ToolMissing`."""

    name: str
    faults: Callable[[Path], Iterator[str]]


def compose(deploy: Path) -> Iterator[str]:
    """compose.yaml with the values of .env.example."""
    yield from _run_check("docker-compose", *compose_words(deploy), "config", "-q", env={"ENV_FILE": ".env.example"})


def compose_words(deploy: Path, variables: Path | None = None) -> Sequence[str]:
    """The files that are meant. What containers are given beside is the file that ENV_FILE names."""
    return ("--env-file", str(variables or deploy / ".env.example"), "-f", str(deploy / "compose.yaml"))


def cluster(deploy: Path) -> Iterator[str]:
    """What each overlay comes to: kinds of Kubernetes by its own schemas, ours by custom-resources.schema.yaml."""
    if not find_spec("kubernetes_validate"):
        raise ToolMissing("kubernetes-validate")
    for overlay in overlays(deploy):
        ran = run("kustomize", "build", str(overlay))
        if ran.returncode:
            yield f"{overlay.name}: {_first_line(ran.stderr)}"
            continue
        for manifest in manifests(ran.stdout):
            object_name = f"{overlay.name}: {manifest.get('kind')} {manifest.get('metadata', {}).get('name')}"
            yield from (f"{object_name}: {fault}" for fault in faults_of(manifest, deploy))


def overlays(deploy: Path) -> Sequence[Path]:
    """Their folders."""
    return sorted(file.parent for file in deploy.glob("kustomize/overlays/*/kustomization.yaml"))


def manifests(text: str) -> list[Manifest]:
    """The documents of a YAML stream."""
    return [document for document in YAML(typ="safe").load_all(text) if document]


def faults_of(manifest: Manifest, deploy: Path) -> Iterator[str]:
    """Of one object, by the schema of its kind."""
    if "." not in manifest["apiVersion"].partition("/")[0] or ".k8s.io/" in manifest["apiVersion"]:
        yield from _by_kubernetes(manifest)
        return
    yield from _by_our_schema(manifest, deploy)
    if (manifest["apiVersion"], manifest["kind"]) == _POD_OWNERS:
        template = manifest["spec"].get("template", {})
        selector = {"matchLabels": template.get("metadata", {}).get("labels", {})}
        spec = {"selector": selector, "template": template}
        yield from _by_kubernetes({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": spec})


def dockerfile(deploy: Path) -> Iterator[str]:
    for file in deploy.glob("image/Dockerfile"):
        yield from _run_check("hadolint", str(file))


def prometheus(deploy: Path) -> Iterator[str]:
    """The configuration, the rules, and the tests of the rules."""
    folder = deploy / "prometheus"
    yield from _run_check("promtool", "check", "config", str(folder / "prometheus.yaml"))
    for rules in folder.glob("rules.yaml"):
        yield from _run_check("promtool", "check", "rules", str(rules))
    for tests in folder.glob("rules_test.yaml"):
        yield from _run_check("promtool", "test", "rules", str(tests))


def nginx(deploy: Path) -> Iterator[str]:
    """The configuration of each place, with a certificate made for the check."""
    with TemporaryDirectory() as prefix:
        folder = shutil.copytree(deploy / "nginx", Path(prefix) / "nginx")
        yield from make_certificate(folder / "tls")
        for file in NGINX_FILES:
            yield from _run_check("nginx", "-q", "-t", "-p", prefix, "-c", str(folder / file))


def make_certificate(folder: Path) -> Iterator[str]:
    """A key and its own certificate, where machine.conf looks for them."""
    folder.mkdir()
    key, certificate = str(folder / "key.pem"), str(folder / "certificate.pem")
    subject_arguments = ("-subj", "/CN=localhost", "-keyout", key, "-out", certificate)
    yield from _run_check("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject_arguments)


def scripts(deploy: Path) -> Iterator[str]:
    """Those of this folder, and what CI runs."""
    of_ci = deploy.with_name(".ci") / "run"
    for script in (*sorted(deploy.rglob("*.sh")), *([of_ci] if of_ci.exists() else ())):
        yield from _run_check("shellcheck", str(script))


def collector(deploy: Path) -> Iterator[str]:
    """That each pipeline is made of what the file declares: nothing here knows more of it."""
    config = YAML(typ="safe").load(deploy / "otel" / "collector.yaml")
    for name, pipeline in config["service"]["pipelines"].items():
        for part, used in pipeline.items():
            yield from (f"{name}: no {part} {component}" for component in used if component not in config.get(part, {}))
    declared = config.get("extensions", {})
    yield from (
        f"no extension {extension}"
        for extension in config["service"].get("extensions", ())
        if extension not in declared
    )


def grafana(deploy: Path) -> Iterator[str]:
    """That Grafana can read what it is given."""
    for dashboard in sorted((deploy / "grafana").glob("*.json")):
        if not {"title", "panels"} <= json.loads(dashboard.read_text()).keys():
            yield f"{dashboard.name}: is no dashboard"
    for dashboard in sorted((deploy / "grafana" / "provisioning").rglob("*.yaml")):
        if YAML(typ="safe").load(dashboard).get("apiVersion") != 1:
            yield f"{dashboard.name}: apiVersion must be 1"


def _by_kubernetes(manifest: Manifest) -> Iterator[str]:
    import kubernetes_validate  # noqa: PLC0415  of developers only

    try:
        kubernetes_validate.validate(dict(manifest), KUBERNETES, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as fault:
        path = ".".join(str(part) for part in getattr(fault, "path", ()))
        yield f"{path}: {_first_line(getattr(fault, 'message', '') or str(fault))}"


def _by_our_schema(manifest: Manifest, deploy: Path) -> Iterator[str]:
    import jsonschema  # noqa: PLC0415  of developers only

    schema = YAML(typ="safe").load(deploy / "kustomize" / "custom-resources.schema.yaml")
    kind_schemas = [
        schema_of_kind
        for schema_of_kind in schema["oneOf"]
        if schema_of_kind["properties"]["kind"]["const"] == manifest["kind"]
    ]
    if not kind_schemas:
        yield "no schema knows this kind"
    for kind_schema in kind_schemas:
        of_kind = {"$defs": schema["$defs"], "type": "object", "required": schema["required"], **kind_schema}
        for fault in jsonschema.Draft202012Validator(of_kind).iter_errors(dict(manifest)):
            yield f"{fault.json_path}: {_first_line(fault.message)}"


CHECKS: Final = (
    Check("compose.yaml", compose),
    Check("kustomize", cluster),
    Check("image/Dockerfile", dockerfile),
    Check("prometheus", prometheus),
    Check("nginx", nginx),
    Check("scripts", scripts),
    Check("otel/collector.yaml", collector),
    Check("grafana", grafana),
)


def main() -> int:
    required = os.environ.get(REQUIRED) == "1"
    with ThreadPoolExecutor() as checking:
        results = list(checking.map(partial(_checked, required=required), CHECKS))
    for line in (line for lines, _ in results for line in lines):
        sys.stderr.write(f"{line}\n")
    return int(any(wrong for _, wrong in results))


def run(program: str, *arguments: str, env: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a tool of this machine to its end; raises `ToolMissing`. `env` is added to ours."""
    python_folder = Path(sys.executable).parent
    path = os.pathsep.join((str(python_folder), os.environ.get("PATH", os.defpath), "/usr/sbin"))
    binary = shutil.which(program, path=path)
    if binary is None:
        raise ToolMissing(program)
    return subprocess.run(  # noqa: S603  a tool of this machine, on files of ours
        (binary, *arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=_WITHIN,
        env={**os.environ, **(env or {})},
    )


def _checked(check: Check, *, required: bool) -> tuple[list[str], bool]:
    """Lines for people, and whether something is wrong."""
    try:
        faults = list(check.faults(HERE))
    except ToolMissing as missing:
        if required:
            return [f"deploy: {check.name}: {missing} is missing, and {REQUIRED}=1"], True
        return [f"deploy: {check.name} is not checked: there is no {missing} here"], False
    except (ValueError, YAMLError) as error:
        faults = [_first_line(str(error))]
    return [f"deploy: {check.name}: {fault}" for fault in faults], bool(faults)


def _run_check(program: str, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """What a tool says that is not content, line by line."""
    ran = run(program, *arguments, env=env)
    if ran.returncode:
        output_lines = [line for line in (ran.stdout + ran.stderr).splitlines() if line.strip()]
        yield from output_lines or [f"{program} ends with {ran.returncode}"]


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "")


if __name__ == "__main__":
    sys.exit(main())
