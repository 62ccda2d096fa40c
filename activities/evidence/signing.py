"""Signatures of evidence: an Ed25519 key of ours, in-toto Statements in DSSE envelopes, canonical JSON (RFC 8785)."""

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import rfc8785
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from activities.documents.files import make_private

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
KEY_BYTES_AT_MOST: Final = 65_536
"""Bytes of a file of keys: some hundred."""
_BEGINS: Final = "-----BEGIN PUBLIC KEY-----"
PUBLIC: Final = ".pub"
"""What the name of the file of public keys ends in, beside the private one."""


class UnusableKey(Exception):
    """The text says which file, and what would help."""


def canonical(value: Any) -> bytes:
    """RFC 8785: what is equal has the same bytes, whoever wrote it."""
    return rfc8785.dumps(value)


@dataclass(frozen=True)
class PublicKeys:
    """Keys that are trusted, by their ids: each is the key itself, in hex."""

    keys: Mapping[str, Ed25519PublicKey]

    @classmethod
    def read(cls, file: Path) -> Self:
        """All public keys of a PEM file, or the one of a private key; raises `UnusableKey`."""
        try:
            with file.open("rb") as opened:
                text = opened.read(KEY_BYTES_AT_MOST + 1).decode("ascii", "replace")
        except OSError as error:
            raise UnusableKey(f"{file}: {error.strerror}") from error
        if len(text) > KEY_BYTES_AT_MOST:
            raise UnusableKey(f"{file}: has more than {KEY_BYTES_AT_MOST:,} bytes, which no file of keys has")
        try:
            if _BEGINS not in text:
                return cls.from_keys([_private(text.encode()).public_key()])
            return cls.from_keys([_public(_BEGINS + block) for block in text.split(_BEGINS)[1:]])
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise UnusableKey(f"{file}: must have Ed25519 keys in PEM") from None

    @classmethod
    def from_keys(cls, keys: Collection[Ed25519PublicKey]) -> Self:
        return cls({id_of(key): key for key in keys})


def id_of(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def pem_of(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def named_key(key_id: str) -> Ed25519PublicKey | None:
    """The key that an id is; None for what is none."""
    with suppress(ValueError):
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(key_id))
    return None


class EvidenceKey:
    """Our private key in its file; beside it the public ones of it and all before it."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.id: Final = id_of(private.public_key())

    @classmethod
    def read(cls, file: Path) -> Self:
        """Raises `UnusableKey`."""
        try:
            return cls(_private(file.read_bytes()))
        except FileNotFoundError:
            raise UnusableKey(f"{file}: there is no key to sign evidence with: `countersign init` makes one") from None
        except OSError as error:
            raise UnusableKey(f"{file}: {error.strerror}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise UnusableKey(f"{file}: must be a private Ed25519 key in PEM, without a password") from None

    @classmethod
    def ensure(cls, file: Path) -> bool:
        """Make the key unless there is one, and list its public key behind those before it; whether it was made."""
        is_new = not file.exists()
        if is_new:
            make_private(file.parent)
            private = Ed25519PrivateKey.generate()
            pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            _write_new(file, pem)
        key, listed = cls.read(file), file.with_name(file.name + PUBLIC)
        known_keys = PublicKeys.read(listed).keys if listed.exists() else {}
        if key.id not in known_keys:
            with listed.open("a") as opened:
                opened.write(pem_of(key._private.public_key()))
        return is_new

    def sign(self, content: bytes) -> bytes:
        return self._private.sign(content)

    def envelope(self, statement: Mapping[str, Any]) -> bytes:
        """A statement in its signed DSSE envelope; the same for the same key and statement."""
        payload = canonical(statement)
        signature = {"keyid": self.id, "sig": _base64(self.sign(signed_bytes(PAYLOAD_TYPE, payload)))}
        return canonical({"payload": _base64(payload), "payloadType": PAYLOAD_TYPE, "signatures": [signature]})


def statement(predicate_type: str, digests: Mapping[str, str], predicate: Mapping[str, Any]) -> dict[str, Any]:
    """An in-toto Statement about files by their SHA-256."""
    subject = [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in digests.items()]
    return {"_type": STATEMENT, "subject": subject, "predicateType": predicate_type, "predicate": dict(predicate)}


def signed_bytes(payload_type: str, payload: bytes) -> bytes:
    """What DSSE signs."""
    return b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)


@dataclass(frozen=True)
class OpenedEnvelope:
    """An envelope: its statement, and by which key it is signed."""

    statement: dict[str, Any]
    key: str
    trusted: bool
    """Whether the key is one of those that are trusted; else the signature proves only that nothing changed since."""

    def digest(self, name: str) -> str:
        """The SHA-256 of a subject; empty if it is none."""
        return next(
            (subject["digest"]["sha256"] for subject in self.statement["subject"] if subject["name"] == name), ""
        )


class NotSigned(ValueError):
    """The envelope does not hold: expected, found."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"expected {expected}, found {actual}")
        self.expected, self.actual = expected, actual


def opened(content: bytes, predicate_type: str, trusted: PublicKeys | None) -> OpenedEnvelope:
    """What an envelope says, its signature verified by the key that it names. Raises `NotSigned`."""
    try:
        envelope = json.loads(content)
        payload = base64.b64decode(envelope["payload"], validate=True)
        [signature] = envelope["signatures"]
        key_id, signed = str(signature["keyid"]), base64.b64decode(signature["sig"], validate=True)
        document = json.loads(payload)
        subjects = [(subject["name"], subject["digest"]["sha256"]) for subject in document["subject"]]
        types = envelope["payloadType"], document["_type"], document["predicateType"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise NotSigned("a DSSE envelope with one signature and an in-toto Statement", "something else") from None
    if types != (PAYLOAD_TYPE, STATEMENT, predicate_type) or not subjects:
        raise NotSigned(predicate_type, str(types[2])[:100])
    key = named_key(key_id)
    if key is None:
        raise NotSigned("a signature by an Ed25519 key", f"one by the key {key_id[:64]}")
    try:
        key.verify(signed, signed_bytes(PAYLOAD_TYPE, payload))
    except InvalidSignature:
        raise NotSigned(f"a signature by the key {key_id}", "one that does not fit") from None
    return OpenedEnvelope(document, id_of(key), is_trusted(key, trusted))


def is_trusted(key: Ed25519PublicKey, trusted: PublicKeys | None) -> bool:
    return trusted is not None and id_of(key) in trusted.keys


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write_new(file: Path, content: bytes) -> None:
    """Whole or not at all, and never over another one."""
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        with suppress(FileExistsError):
            os.link(aside, file)
    finally:
        aside.unlink(missing_ok=True)


def _private(pem: bytes) -> Ed25519PrivateKey:
    key = load_pem_private_key(pem, None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("another kind of key")
    return key


def _public(pem: str) -> Ed25519PublicKey:
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("another kind of key")
    return key


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
