"""What each container of ours is given, by compose.yaml and by each overlay of the cluster."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from deploy import validate
from deploy.validate import HERE, REQUIRED, Manifest, ToolMissing

OURS: Final = "countersign"
"""The image, whatever its registry and version."""


@dataclass(frozen=True)
class Container:
    """`words` is the command line after `countersign`."""

    where: str
    words: tuple[str, ...]
    environment: Mapping[str, str]
    described: Mapping[str, Any]
    """As the file has it."""


def of_compose(variables: Mapping[str, str] | None = None, file: Path | None = None) -> dict[str, Container]:
    """By service, with the values of `file` or of .env.example; `variables` of the shell win."""
    shell = {"ENV_FILE": str(file or ".env.example"), **(variables or {})}
    output = _output("docker-compose", *validate.compose_words(HERE, file), "config", "--format", "json", env=shell)
    services: Mapping[str, Any] = json.loads(output)["services"]
    return {
        name: Container(f"compose {name}", tuple(service["command"]), service["environment"], service)
        for name, service in services.items()
        if _is_our_image(service["image"])
    }


def of_cluster(overlay: Path) -> Iterator[Container]:
    """Those of our image in an overlay."""
    built = render(overlay)
    maps = {manifest["metadata"]["name"]: manifest["data"] for manifest in built if manifest["kind"] == "ConfigMap"}
    for manifest in built:
        pod = manifest.get("spec", {}).get("template", {}).get("spec", {})
        for container in pod.get("containers", ()):
            if not _is_our_image(container["image"]):
                continue
            environment = {
                **{
                    name: text
                    for ref in container["envFrom"]
                    for name, text in maps[ref["configMapRef"]["name"]].items()
                },
                **{variable["name"]: variable["value"] for variable in container.get("env", ())},
            }
            object_name = f"{overlay.name} {manifest['kind']} {manifest['metadata']['name']}"
            yield Container(
                object_name, tuple(container["args"]), environment, {"pod": pod, "container": container, "of": manifest}
            )


@cache
def render(overlay: Path) -> list[Manifest]:
    """What `kustomize build` makes of it."""
    return validate.manifests(_output("kustomize", "build", str(overlay), env={}))


def _is_our_image(image: str) -> bool:
    return image.rpartition("/")[2].partition(":")[0].partition("@")[0] == OURS


def _output(program: str, *arguments: str, env: Mapping[str, str]) -> str:
    try:
        ran: subprocess.CompletedProcess[str] = validate.run(program, *arguments, env=env)
    except ToolMissing as missing:
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{REQUIRED}=1, and there is no {missing}", pytrace=False)
        pytest.skip(f"there is no {missing} here")
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
