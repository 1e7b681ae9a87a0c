"""Every file of docs/vectors, read by other code than what wrote it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from reader import ES256, EDDSA, Key, Refused, read

VECTORS = Path(__file__).parents[2] / "docs" / "vectors"
LISTED = json.loads((VECTORS / "vectors.json").read_text())
KEYS = {
    name: Key({"ed25519": EDDSA, "p256": ES256}[key["algorithm"]], bytes.fromhex(key["public"]))
    for name, key in LISTED["keys"].items()
}
NAMES = [document["file"] for document in LISTED["documents"]]


def shown(value: Any) -> Any:
    """A decoded value as vectors.json writes it."""
    match value:
        case bytes():
            return {"hex": value.hex()}
        case list() | tuple():
            return [shown(item) for item in value]
        case dict():
            return {str(key): shown(item) for key, item in value.items()}
        case _:
            return value


def document(file: str) -> dict[str, Any]:
    return next(document for document in LISTED["documents"] if document["file"] == file)


def keys_of(document: dict[str, Any]) -> list[Key]:
    return [KEYS[name] for name in document["trusted"]]


@pytest.mark.parametrize("file", NAMES)
def test_a_document_says_what_is_written_of_it(file: str) -> None:
    listed = document(file)
    found = read((VECTORS / file).read_bytes(), listed["kind"], keys_of(listed))
    assert shown(found) == listed["fields"]


@pytest.mark.parametrize("file", [refused["file"] for refused in LISTED["refused"]])
def test_what_breaks_a_rule_is_refused(file: str) -> None:
    listed = next(refused for refused in LISTED["refused"] if refused["file"] == file)
    with pytest.raises(Refused) as refused:
        read((VECTORS / file).read_bytes(), listed["kind"], keys_of(listed))
    assert listed["because"] in str(refused.value)


@pytest.mark.parametrize("file", NAMES)
def test_a_changed_bit_anywhere_is_refused(file: str) -> None:
    listed = document(file)
    data = bytearray((VECTORS / file).read_bytes())
    for at in range(len(data)):
        data[at] ^= 1 << (at % 8)
        with pytest.raises(Refused):
            read(bytes(data), listed["kind"], keys_of(listed))
        data[at] ^= 1 << (at % 8)


@pytest.mark.parametrize("file", NAMES)
def test_the_keys_of_a_document_have_the_ids_that_are_written(file: str) -> None:
    found = document(file)["fields"]
    if document(file)["kind"] != "root":
        return
    for algorithm, public in found["3"] + found["5"] + ([found["6"]] if "6" in found else []):
        key = Key(algorithm, bytes.fromhex(public["hex"]))
        ids = {entry["id"] for entry in LISTED["keys"].values()}
        assert key.id.hex() in ids


def test_the_chunks_are_those_of_the_image() -> None:
    image = (VECTORS / "image.bin").read_bytes()
    for file in ["manifest.cbor", "manifest-p256.cbor"]:
        found = read((VECTORS / file).read_bytes(), "manifest", keys_of(document(file)))
        assert found[8] == hashlib.sha256(image).digest()
        assert found[9] == len(image)
        chunks = [image[at : at + 65536] for at in range(0, len(image), 65536)]
        assert found[10] == b"".join(hashlib.sha256(chunk).digest() for chunk in chunks)


def test_every_file_is_listed() -> None:
    listed = {entry["file"] for entry in LISTED["documents"] + LISTED["refused"]}
    there = {path.name for path in VECTORS.glob("*.cbor")}
    assert listed == there
