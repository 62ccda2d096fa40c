"""The `OTEL_*` variables, as OpenTelemetry defines them."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from starter.errors import Refusal

_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"


class TelemetryError(Refusal):
    """`OTEL_*` asks for something unavailable."""


def read_exporter_name(otel: Mapping[str, str], signal: str) -> str:
    """The exporter that `OTEL_<signal>_EXPORTER` names; an endpoint alone means `otlp`."""
    endpoints = (_ENDPOINT, f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    return otel.get(f"OTEL_{signal}_EXPORTER", "otlp" if any(name in otel for name in endpoints) else "none")


def endpoint_of(otel: Mapping[str, str], signal: str) -> str:
    base = otel.get(_ENDPOINT, "http://localhost:4318").rstrip("/")
    return otel.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", f"{base}/v1/{signal.lower()}")


def headers_of(otel: Mapping[str, str], signal: str) -> dict[str, str]:
    """Extra headers of a signal, names in lower case."""
    text = otel.get(f"OTEL_EXPORTER_OTLP_{signal}_HEADERS", otel.get("OTEL_EXPORTER_OTLP_HEADERS", ""))
    pairs = (part.partition("=") for part in text.split(",") if "=" in part)
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}
