"""Applies Otaru's patches as docs/patches.md has them: from the document alone, with Python's own LZMA."""

import hashlib
import lzma
from collections.abc import Iterator

SEGMENT_BYTES = 131072
DICTIONARY_BYTES = {1: 4096, 2: 8192}


class BadPatch(Exception):
    """A patch that makes no image."""


def number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def unpacked(packed: bytes, codec: int) -> bytes:
    """The records of a segment: raw LZMA1 without an end, so the decoder stops where the input does."""
    lzma1 = {"id": lzma.FILTER_LZMA1, "dict_size": DICTIONARY_BYTES[codec], "lc": 0, "lp": 0, "pb": 0}
    try:
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[lzma1]).decompress(packed)
    except lzma.LZMAError as error:
        raise BadPatch(str(error)) from None


class Records:
    """The records of one segment, read front to back."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def bytes(self, length: int) -> bytes:
        found = self.data[self.at : self.at + length]
        if length < 0 or len(found) < length:
            raise BadPatch("records end too early")
        self.at += length
        return found

    def number(self) -> int:
        byte = self.bytes(1)[0]
        negative, value, shift = byte & 0x40, byte & 0x3F, 6
        while byte & 0x80:
            byte = self.bytes(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
        return -value if negative else value


def segment(records: Records, base: bytes, at: int, length: int) -> bytes:
    made = bytearray()
    while True:
        diff = records.bytes(records.number())
        if at < 0 or at + len(diff) > len(base):
            raise BadPatch("outside the base")
        made += bytes((new + old) & 0xFF for new, old in zip(diff, base[at:]))
        at += len(diff)
        if len(made) >= length:
            break
        made += records.bytes(records.number())
        if len(made) >= length:
            break
        at += records.number()
    if len(made) != length or records.at != len(records.data):
        raise BadPatch("a segment of another length")
    return bytes(made)


def segments(patch: bytes, base: bytes) -> Iterator[bytes]:
    codec, target_bytes = patch[5], number(patch, 8)
    count = -(-target_bytes // SEGMENT_BYTES)
    for index in range(count):
        offset = number(patch, 80 + 4 * index)
        packed = patch[offset + 8 : offset + 8 + number(patch, offset)]
        length = min(SEGMENT_BYTES, target_bytes - index * SEGMENT_BYTES)
        yield segment(Records(unpacked(packed, codec)), base, number(patch, offset + 4), length)


def applied(patch: bytes, base: bytes) -> bytes:
    """The image that the patch makes of the base, its digest checked."""
    if patch[:5] != b"OTRP\x01" or patch[5] not in DICTIONARY_BYTES or patch[6:8] != b"\0\0":
        raise BadPatch("not a patch of this format")
    if number(patch, 12) == 0:
        base = b""
    elif patch[48:80] != hashlib.sha256(base).digest() or number(patch, 12) != len(base):
        raise BadPatch("another base")
    made = b"".join(segments(patch, base))
    if hashlib.sha256(made).digest() != patch[16:48]:
        raise BadPatch("not the target")
    return made


def unshrunk(packed: bytes) -> bytes:
    """heatshrink with a window of 8 and a lookahead of 7 bits; the last bits may be padding."""
    bits = "".join(f"{byte:08b}" for byte in packed)
    made, at = bytearray(), 0
    while len(bits) - at >= 9:
        if bits[at] == "1":
            made.append(int(bits[at + 1 : at + 9], 2))
            at += 9
            continue
        if len(bits) - at < 16:
            break
        back, count = int(bits[at + 1 : at + 9], 2) + 1, int(bits[at + 9 : at + 16], 2) + 1
        for _ in range(count):
            made.append(made[-back])
        at += 16
    return bytes(made)


def applied_for_esp(patch: bytes, base: bytes) -> bytes:
    """The image that an unmodified esp_delta_ota makes: detools' records, each of them whole."""
    if patch[:4] != bytes.fromhex("10decdfc") or patch[36:64] != bytes(28) or patch[64] != 0x04:
        raise BadPatch("not a patch for esp_delta_ota")
    body = Records(patch[65:])
    length = body.number()
    if body.bytes(1) != b"\x44":
        raise BadPatch("another window")
    records, made, at = Records(unshrunk(body.data[body.at :])), bytearray(), 0
    if records.number() != 0:
        raise BadPatch("a special format of data")
    while len(made) < length:
        diff = records.bytes(records.number())
        made += bytes((new + old) & 0xFF for new, old in zip(diff, base[at:]))
        at += len(diff)
        made += records.bytes(records.number())
        at += records.number()
    return bytes(made)
