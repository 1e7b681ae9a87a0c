"""The audit log of docs/vectors, hashed as docs/audit.md says and by no code of ours."""

import hashlib
import json
from pathlib import Path

LOG = Path(__file__).parents[2] / "docs" / "vectors" / "audit.ndjson"
ENTRIES = [json.loads(line) for line in LOG.read_text(encoding="utf-8").splitlines()]


def hash_of(entry: dict) -> str:
    rest = {name: value for name, value in entry.items() if name != "hash"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(b"\x01" + text.encode()).hexdigest()


def test_every_hash_is_that_of_its_entry() -> None:
    assert len(ENTRIES) == 3
    assert [entry["hash"] for entry in ENTRIES] == [hash_of(entry) for entry in ENTRIES]


def test_every_entry_follows_the_one_before() -> None:
    before = ["0" * 64, *(entry["hash"] for entry in ENTRIES[:-1])]
    assert [entry["prev_hash"] for entry in ENTRIES] == before
    assert [entry["sequence"] for entry in ENTRIES] == [1, 2, 3]
