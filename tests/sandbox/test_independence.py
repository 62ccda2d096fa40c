"""The sandbox imports nothing of the application: shared code would share its mistakes."""

import ast
import sys
from pathlib import Path

import deploy.sandbox

ALLOWED = {
    *("deploy.sandbox", "httpx", "jinja2", "pydantic", "starlette", "uvicorn"),
    *("cryptography", "http_ece", "joserfc"),  # what a browser and its push service do with a web push
}


def imported(file: Path) -> set[str]:
    """The modules a file imports."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "." for node in nodes if isinstance(node, ast.ImportFrom)}


def is_allowed(module: str) -> bool:
    """Whether the sandbox may lean on that module."""
    root = module.partition(".")[0]
    return root in sys.stdlib_module_names or any(f"{module}.".startswith(f"{name}.") for name in ALLOWED)


def test_only_the_standard_library_and_a_web_stack_are_imported() -> None:
    files = list(Path(deploy.sandbox.__path__[0]).rglob("*.py"))
    assert len(files) > 20
    foreign = {f"{file.name}: {module}" for file in files for module in imported(file) if not is_allowed(module)}
    assert foreign == set()
    assert not is_allowed("activities.http.client")
    assert not is_allowed("deploy.local")
