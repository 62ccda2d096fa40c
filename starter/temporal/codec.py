"""The payload codec: AES-256-GCM, one converter for client, worker, replayer. With keys failures are encoded as well,
since their messages would leak. Ids, search attributes and message names stay readable: no personal data in them.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel
from pydantic_core import SchemaSerializer
from pydantic_core.core_schema import any_schema
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
    PayloadCodec,
)

from starter.config.values import PayloadKey
from workflows.model.base import ALWAYS_WRITTEN, DerivableModel

_JSON = SchemaSerializer(any_schema())
ENCODING: Final = b"binary/encrypted"
_KEY_ID: Final = "encryption-key-id"
_NONCE_BYTES: Final = 12


class TersePayloadConverter(PydanticJSONPlainPayloadConverter):
    """Temporal's converter of models. Left out are fields that have their default, and fields that follow from others
    (`DerivableModel`); reading restores both. Fields of the outside contract are always written (`ALWAYS_WRITTEN`).
    """

    def to_payload(self, value: Any) -> Payload | None:
        """JSON by alias, as in files and histories."""
        data = _JSON.to_json(value, by_alias=True, exclude=_omitted_fields(value))
        return Payload(metadata={"encoding": self.encoding.encode()}, data=data)

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        if isinstance(type_hint, type) and issubclass(type_hint, BaseModel):
            # Each workflow has its own converter, which would otherwise build and keep its own schema.
            type_hint.model_rebuild()
        return super().from_payload(payload, type_hint)


def _omitted_fields(value: Any) -> dict[Any, Any]:
    """The fields to leave out of a value, at any depth, as `exclude` takes them."""
    parts: Mapping[Any, Any]
    implied: Mapping[str, Any] = {}
    match value:
        case BaseModel():
            parts, implied = dict(value), _defaults(type(value))
            if isinstance(value, DerivableModel):
                implied = {**implied, **value.derive(parts)}
        case dict():
            parts = value
        case tuple() | list():
            parts = dict(enumerate(value))
        case _:
            return {}
    omissions = {key: (key in implied and part == implied[key]) or _omitted_fields(part) for key, part in parts.items()}
    return {key: omission for key, omission in omissions.items() if omission}


@cache
def _defaults(model: type[BaseModel]) -> Mapping[str, Any]:
    """The defaults of a model by field, without those that are always written."""
    return {
        name: field.get_default(call_default_factory=True)
        for name, field in model.model_fields.items()
        if not field.is_required() and ALWAYS_WRITTEN not in field.metadata
    }


class _PayloadConverter(CompositePayloadConverter):
    def __init__(self) -> None:
        terse = TersePayloadConverter()
        usual = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(
            *(terse if isinstance(converter, JSONPlainPayloadConverter) else converter for converter in usual)
        )


terse_data_converter = DataConverter(payload_converter_class=_PayloadConverter)
"""For client, worker and replayer."""


class CodecError(Exception):
    """A payload cannot be read with these keys; the text has nothing of its content."""


class AesGcmCodec(PayloadCodec):
    """Encrypts whole payloads with metadata under the first key; decrypts under each."""

    def __init__(self, keys: Sequence[PayloadKey]) -> None:
        self._ciphers: Mapping[str, AESGCM] = {key.id: AESGCM(key.key.get_secret_value()) for key in keys}
        self._current = keys[0].id

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self.encrypted(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self.decrypted(payload) for payload in payloads]

    def encrypted(self, payload: Payload) -> Payload:
        """It under the current key with a fresh 96-bit nonce."""
        nonce = os.urandom(_NONCE_BYTES)
        key_id = self._current.encode()
        data = nonce + self._ciphers[self._current].encrypt(nonce, payload.SerializeToString(), key_id)
        return Payload(metadata={"encoding": ENCODING, _KEY_ID: key_id}, data=data)

    def decrypted(self, payload: Payload) -> Payload:
        """What we did not encrypt passes unchanged; `CodecError` for what these keys do not open."""
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id = payload.metadata.get(_KEY_ID, b"")
        cipher = self._ciphers.get(key_id.decode(errors="replace"))
        if cipher is None:
            raise CodecError(f"no payload key {key_id.decode(errors='replace')!r} in COUNTERSIGN_PAYLOAD_KEYS")
        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, key_id))
        except (InvalidTag, ValueError) as error:
            raise CodecError(f"a payload under key {key_id.decode()!r} was changed or has another key") from error


class KeylessCodec(PayloadCodec):
    """For a process without keys: writes readable payloads, refuses encrypted ones."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """`CodecError` if one is encrypted."""
        for payload in payloads:
            if payload.metadata.get("encoding") == ENCODING:
                key = payload.metadata.get(_KEY_ID, b"").decode(errors="replace")
                raise CodecError(f"a payload is encrypted under key {key!r}: set COUNTERSIGN_PAYLOAD_KEYS")
        return list(payloads)


def data_converter(keys: Sequence[PayloadKey]) -> DataConverter:
    """The converter of client, worker and replayer; without keys payloads are readable JSON."""
    if not keys:
        return replace(terse_data_converter, payload_codec=KeylessCodec())
    return replace(
        terse_data_converter,
        payload_codec=AesGcmCodec(keys),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
