"""Reads Otaru's signed documents as docs/formats.md has them: from the document alone.

cbor2 decodes, cryptography verifies. Whatever the rules forbid is a `Refused` with the reason in words.
"""

import hashlib
import io
from dataclasses import dataclass
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

EDDSA, ES256 = -8, -7
TYPES = {kind: f"application/vnd.otaru.{kind}" for kind in ["root", "manifest", "timestamp", "order"]}
MOST_BYTES = {"root": 3968, "manifest": 65536, "timestamp": 512, "order": 768}
CRITICAL = {"root": 8, "manifest": 15, "timestamp": 7, "order": 11}
LAST_FIELD = {"root": 9, "manifest": 15, "timestamp": 7, "order": 11}
REQUIRED = {
    "root": {1, 2, 3, 5},
    "manifest": {1, 2, 3, 4, 7, 8, 9, 10},
    "timestamp": {1, 2, 3, 4, 5, 6},
    "order": {1, 2, 3, 4, 5, 6, 8, 9},
}


class Refused(Exception):
    """A document that must not be believed."""


@dataclass(frozen=True)
class Key:
    """A public key: COSE's number of its algorithm, and its bytes."""

    algorithm: int
    public: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.public).digest()[:8]

    def verify(self, message: bytes, signature: bytes) -> None:
        try:
            if self.algorithm == EDDSA:
                ed25519.Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
            else:
                r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
                curve = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self.public)
                curve.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise Refused("wrong signature") from None


def decoded(data: bytes) -> Any:
    """One CBOR item in deterministic form, and nothing behind it."""
    stream = io.BytesIO(data)
    try:
        item = cbor2.load(stream)
    except Exception as error:
        raise Refused(f"not CBOR: {error}") from None
    if stream.read():
        raise Refused("bytes behind the end")
    # Encoded again by other code it is the same, or it was not deterministic.
    if cbor2.dumps(item, canonical=True) != data:
        raise Refused("not deterministic")
    return item


def fields(payload: bytes, kind: str) -> dict[int, Any]:
    """The fields of a document, by number; those nobody knows are left out."""
    document = decoded(payload)
    if not isinstance(document, dict) or not all(type(key) is int and key >= 0 for key in document):
        raise Refused("not a map of numbered fields")
    if document.get(1) != 1:
        raise Refused("another format version")
    for number in document.get(CRITICAL[kind], []):
        if number > LAST_FIELD[kind]:
            raise Refused(f"field {number} must be understood")
    missing = REQUIRED[kind] - document.keys()
    if missing:
        raise Refused(f"fields {missing} are missing")
    return {number: value for number, value in document.items() if number <= LAST_FIELD[kind]}


def read(data: bytes, kind: str, keys: list[Key]) -> dict[int, Any]:
    """The fields of a document that one of the keys signed."""
    if len(data) > MOST_BYTES[kind]:
        raise Refused("too long")
    envelope = decoded(data)
    if not isinstance(envelope, cbor2.CBORTag) or envelope.tag != 18 or len(envelope.value) != 4:
        raise Refused("no COSE_Sign1")
    protected, unprotected, payload, signature = envelope.value
    header = decoded(protected)
    if unprotected != {} or not isinstance(signature, bytes) or len(signature) != 64 or set(header) != {1, 4, 16}:
        raise Refused("other headers")
    if header[16] != TYPES[kind]:
        raise Refused("another type")
    key = next((key for key in keys if key.id == header[4] and key.algorithm == header[1]), None)
    if key is None:
        raise Refused("no key that counts")
    key.verify(cbor2.dumps(["Signature1", protected, b"", payload]), signature)
    return fields(payload, kind)
