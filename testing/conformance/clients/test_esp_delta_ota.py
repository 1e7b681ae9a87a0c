"""Patches for devices with ESP-IDF's esp_delta_ota, applied by detools, whose format they are in."""

import hashlib
import io
import json
import os
import random
from pathlib import Path

import detools
import pytest

from harness.server import Server

PRODUCT = "delta"
HEADER_BYTES = 64
MAGIC = 0xFCCDDE10


def image(version: str, text: bytes) -> bytes:
    """An image of ESP-IDF for an ESP32-C3: two segments, the first with its descriptor."""
    descriptor = (0xABCD5432).to_bytes(4, "little") + bytes(12)
    descriptor += version.encode().ljust(32, b"\0") + b"delta".ljust(32, b"\0")
    descriptor = descriptor.ljust(256, b"\0")
    made = bytearray([0xE9, 2, 2, 0x2F]) + (0x42000020).to_bytes(4, "little") + bytes([0xEE, 0, 0, 0])
    made += (5).to_bytes(2, "little") + bytes(3) + b"\xff\xff" + bytes(4) + b"\x01"
    checksum = 0xEF
    for base, data in [(0x3C000000, descriptor), (0x42000000, text)]:
        address = base + (len(made) + 8) % 0x10000
        made += address.to_bytes(4, "little") + len(data).to_bytes(4, "little") + data
        for byte in data:
            checksum ^= byte
    made += bytes(15 - len(made) % 16) + bytes([checksum])
    return bytes(made) + hashlib.sha256(made).digest()


def two_builds() -> dict[str, bytes]:
    """Two versions of which one has code that the other has not, and addresses that moved by it."""
    chance = random.Random(7)
    words = [chance.randbytes(4) for _ in range(600)]
    old = b"".join(chance.choice(words) for _ in range(30_000))
    new = bytearray(old[:40_000] + chance.randbytes(800) + old[40_000:])
    for at in range(0, len(new), 2_048):
        new[at] = (new[at] + 3) & 0xFF
    return {"1.0.4": image("1.0.4", old), "1.0.5": image("1.0.5", bytes(new))}


@pytest.fixture(scope="module")
def builds(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of both versions, which are published as well."""
    folder = tmp_path_factory.mktemp("delta")
    keys = folder / "keys"
    server.command("key", "new", "--out", keys, "--no-passphrase")
    what = ["--chip", "esp32c3", "--flash", "4M", "--root", str(keys / "root.cbor")]
    server.command("product", "create", PRODUCT, *what)
    files = {}
    for version, bytes_ in two_builds().items():
        files[version] = folder / f"{version}.bin"
        files[version].write_bytes(bytes_)
        how = ["--product", PRODUCT, "--version", version, "--key", str(keys / "release.key")]
        server.command("release", "publish", files[version], *how)
    return files


def applied(patch: bytes, base: Path, target: Path) -> None:
    """What esp_delta_ota does: it looks at the header, and gives the rest to detools."""
    old, new = base.read_bytes(), target.read_bytes()
    assert int.from_bytes(patch[:4], "little") == MAGIC
    assert patch[4:36] == hashlib.sha256(old[:-32]).digest()
    assert patch[36:HEADER_BYTES] == bytes(28)
    made = io.BytesIO()
    detools.apply_patch(io.BytesIO(old), io.BytesIO(patch[HEADER_BYTES:]), made)
    assert made.getvalue() == new
    assert len(patch) < len(new) / 4


def test_a_patch_between_releases_is_applied_by_detools(
    server: Server, builds: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.patch"
    which = ["--from", "1.0.4", "--to", "1.0.5", "--product", PRODUCT, "--out", str(out)]
    said = json.loads(server.command("release", "patch", "export", "--esp-delta-ota", *which, "-o", "json"))
    assert said["size"] == os.path.getsize(out)
    assert said["to"]["sha256"] == hashlib.sha256(builds["1.0.5"].read_bytes()).hexdigest()
    applied(out.read_bytes(), builds["1.0.4"], builds["1.0.5"])


def test_a_patch_between_files_goes_either_way(
    server: Server, builds: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.patch"
    for base, target in [("1.0.4", "1.0.5"), ("1.0.5", "1.0.4")]:
        which = ["--from", str(builds[base]), "--to", str(builds[target]), "--out", str(out)]
        server.command("release", "patch", "export", "--esp-delta-ota", *which)
        applied(out.read_bytes(), builds[base], builds[target])
