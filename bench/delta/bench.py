"""Bytes of Otaru's patches beside those of bsdiff, xdelta3, zstd and detools, each applied back.

`run.sh` starts it. Prints a table and, for each target, a line that ends in `met` or `missed`.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import bsdiff4
import detools

from images import Pair, fetched, of_folder

HERE = Path(__file__).parent
PEERS = ["bsdiff", "xdelta3", "zstd", "heatshrink", "lzma"]


def child(command: list[str]) -> tuple[float, int]:
    """Runs it: CPU seconds, and the most resident memory in KiB if it says so.

    What the kernel says of a child's memory includes this process's at the fork.
    """
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{command[0]} failed: {said}")
    peak = re.search(r"VmHWM:\s*(\d+) kB", said)
    return used.ru_utime + used.ru_stime, int(peak[1]) if peak else 0


def detools_bytes(pair: Pair, compression: str) -> int:
    patch, made = io.BytesIO(), io.BytesIO()
    with pair.old.open("rb") as old, pair.new.open("rb") as new:
        detools.create_patch(old, new, patch, compression=compression)
        old.seek(0)
        patch.seek(0)
        detools.apply_patch(old, patch, made)
    assert made.getvalue() == pair.new.read_bytes()
    return len(patch.getvalue())


def peers(pair: Pair, scratch: Path) -> dict[str, int]:
    old, new, out, back = pair.old, pair.new, scratch / "peer", scratch / "back"
    found = {name: detools_bytes(pair, name) for name in ["heatshrink", "lzma"]}
    patch = bsdiff4.diff(old.read_bytes(), new.read_bytes())
    assert bsdiff4.patch(old.read_bytes(), patch) == new.read_bytes()
    found["bsdiff"] = len(patch)
    commands = {
        "xdelta3": (["xdelta3", "-9", "-f", "-e", "-s", str(old), str(new), str(out)],
                    ["xdelta3", "-f", "-d", "-s", str(old), str(out), str(back)]),
        "zstd": (["zstd", "-q", "-f", "-19", "--patch-from", str(old), str(new), "-o", str(out)],
                 ["zstd", "-q", "-f", "-d", "--patch-from", str(old), str(out), "-o", str(back)]),
    }
    for name, (make, apply) in commands.items():
        if shutil.which(name):
            child(make)
            child(apply)
            assert back.read_bytes() == new.read_bytes()
            found[name] = out.stat().st_size
    return found


def ours(pair: Pair, program: Path, scratch: Path) -> dict[str, float]:
    out, back = scratch / "ours", scratch / "back"
    found: dict[str, float] = {}
    for size in ["4", "8"]:
        cpu_s, memory_kib = child([str(program), "make", str(pair.old), str(pair.new), str(out), size])
        child([str(program), "apply", str(pair.old), str(out), str(back)])
        assert back.read_bytes() == pair.new.read_bytes()
        found |= {f"otaru {size}K": out.stat().st_size, "cpu_s": cpu_s, "memory_kib": memory_kib}
    child([str(program), "esp", str(pair.old), str(pair.new), str(out)])
    made = io.BytesIO()
    with pair.old.open("rb") as old, out.open("rb") as patch:
        patch.seek(64)
        detools.apply_patch(old, patch, made)
    assert made.getvalue() == pair.new.read_bytes()
    found["esp"] = out.stat().st_size
    child([str(program), "pack", str(pair.new), str(out), "8"])
    found["packed"] = out.stat().st_size
    return found


def target(figure: str, value: float, limit: float) -> None:
    print(f"{figure} {value:.3f} target {limit} {'met' if value <= limit else 'missed'}")


def main() -> None:
    build = Path(sys.argv[1])
    program, scratch = build / "release/examples/patch", build / "delta"
    scratch.mkdir(exist_ok=True)
    pairs = fetched(HERE / "pairs.txt", scratch) + of_folder()
    columns = ["new", *PEERS, "otaru 4K", "otaru 8K", "esp", "packed", "cpu_s", "memory_kib"]
    print("| pair | " + " | ".join(columns) + " |")
    print("| --- |" + " --- |" * len(columns))
    rows = []
    for pair in pairs:
        row: dict[str, float] = {"new": pair.new.stat().st_size}
        row |= peers(pair, scratch) | ours(pair, program, scratch)
        shown = [f"{row[column]:g}" if column == "cpu_s" else f"{int(row[column])}" if column in row else "-" for column in columns]
        print(f"| {pair.name} | " + " | ".join(shown) + " |", flush=True)
        rows.append((pair, row))
    report(rows)


def report(rows: list[tuple[Pair, dict[str, float]]]) -> None:
    def ratio(chosen: list[dict[str, float]]) -> float:
        return sum(row["otaru 8K"] for row in chosen) / max(1, sum(row["heatshrink"] for row in chosen))

    target("same_toolchain_of_heatshrink", ratio([row for pair, row in rows if pair.same]), 0.66)
    target("all_of_heatshrink", ratio([row for _, row in rows]), 0.75)
    target("worst_of_lzma", max(row["otaru 8K"] / row["lzma"] for _, row in rows), 1.08)
    # Of an image of 1.5 MB, and of smaller ones in proportion.
    long = [row for _, row in rows if row["new"] >= 1_000_000] or [row for _, row in rows]
    target("make_cpu_s_for_1_5_mb", max(row["cpu_s"] / row["new"] * 1_500_000 for row in long), 2)
    target("make_memory_mib", max(row["memory_kib"] for _, row in rows) / 1024, 200)


if __name__ == "__main__":
    started = time.monotonic()
    main()
    print(f"{time.monotonic() - started:.0f} s; every patch applied back")
