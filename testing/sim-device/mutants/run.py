#!/usr/bin/env python3
"""Builds every mutant into a copy of the device's crates and shows which test turns red.

    testing/sim-device/mutants/run.py [--build [--go-on] | --run] [NAME ...]

Prints a line a mutant and what no test saw; the exit status is 1 if there is such a one.
Alone, `--build` builds the tests of each mutant and keeps them (`--go-on`: those not
kept yet), and `--run` runs what was kept.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCRATCH = Path(os.environ.get("OTARU_MUTANTS_DIR", ROOT / "target" / "mutants"))
KEPT = SCRATCH / "kept"
CARGO = os.environ.get("CARGO", "cargo")
CRATES = [
    "contract/wire", "contract/shadow", "contract/release",
    "device/agent", "device/slots", "device/host",
    "testing/sim-flash", "testing/sim-device",
]
# No test may need longer: a mutant that never ends is seen, too.
LIMIT_S = 600
# The same, unchanged: what turns red there sees no mutant.
UNCHANGED = {"name": "unchanged", "file": "device/agent/src/lib.rs", "find": None}
# Stands beside a mutant's tests once all of them are there.
WHOLE = "whole"


def copy_crates():
    """A workspace of the device alone. What did not change keeps its time, and is not built again."""
    for crate in CRATES:
        for source in sorted((ROOT / crate).rglob("*")):
            target = SCRATCH / source.relative_to(ROOT)
            if source.is_dir():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists() or target.read_bytes() != source.read_bytes():
                shutil.copyfile(source, target)
    manifest = (ROOT / "Cargo.toml").read_text()
    members = ",\n".join(f'    "{crate}"' for crate in CRATES)
    manifest = re.sub(r"members = \[.*?\]", f"members = [\n{members},\n]", manifest, flags=re.S)
    manifest = re.sub(r"exclude = \[.*?\]\n", "", manifest)
    (SCRATCH / "Cargo.toml").write_text(manifest)
    shutil.copyfile(ROOT / "Cargo.lock", SCRATCH / "Cargo.lock")


def packages_of(mutant):
    """Whole lives first, then the crate's own tests."""
    own = "otaru-" + mutant["file"].split("/")[1]
    return ["otaru-sim-device"] + [own] * (own != "otaru-host")


def build(mutant):
    path = SCRATCH / mutant["file"]
    before = path.read_text()
    find = (mutant["find"] or "").lstrip("\n")
    if find and before.count(find) != 1:
        raise SystemExit(f"{mutant['name']}: `find` stands {before.count(find)} times in its file")
    kept = KEPT / mutant["name"]
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    if mutant["find"]:
        path.write_text(before.replace(find, mutant["replace"].lstrip("\n")))
    try:
        for nth, package in enumerate(packages_of(mutant)):
            for executable in test_executables(package):
                shutil.copy(executable, kept / f"{nth}-{Path(executable).name.split('-')[0]}")
        (kept / WHOLE).touch()
    finally:
        if mutant["find"]:
            path.write_text(before)


def test_executables(package):
    run = subprocess.run(
        [*CARGO.split(), "test", "--no-run", "--offline", "--profile", "proof",
         "--lib", "--tests", "--message-format", "json", "--package", package],
        cwd=SCRATCH, env=dict(os.environ, CARGO_TARGET_DIR=str(SCRATCH / "target")),
        capture_output=True, text=True,
    )
    if run.returncode != 0:
        raise SystemExit(f"a mutant does not build:\n{run.stdout[-3000:]}{run.stderr[-3000:]}")
    messages = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    return [found for message in messages if (found := message.get("executable"))
            and message.get("profile", {}).get("test")]


def red_test(mutant):
    """The first test that turned red; None when all are green."""
    # The figures beside others' come last: they see much, and say little about what broke.
    order = lambda path: (path.name[0], "models" in path.name, path.name)
    for executable in sorted((KEPT / mutant["name"]).glob("[0-9]-*"), key=order):
        listed = subprocess.run([executable, "--list"], capture_output=True, text=True)
        for name in re.findall(r"^(\S+): test$", listed.stdout, flags=re.M):
            red = run_test(executable, name)
            if red:
                return red
    return None


def run_test(executable, name):
    manifest_dir = ROOT / "testing" / "sim-device"
    try:
        run = subprocess.run([executable, "--exact", name], cwd=manifest_dir, capture_output=True,
                             text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return f"{name} (does not end)"
    if run.returncode == 0:
        return None
    rule = re.search(r"(?:broke |rule: \")(\w+)", run.stdout)
    return name + (f" (broke {rule.group(1)})" if rule else "")


def main():
    words = sys.argv[1:]
    names = [word for word in words if not word.startswith("--")]
    mutants = tomllib.loads((Path(__file__).parent / "mutants.toml").read_text())["mutant"]
    mutants = [mutant for mutant in mutants if not names or mutant["name"] in names]
    if "--run" not in words:
        SCRATCH.mkdir(parents=True, exist_ok=True)
        copy_crates()
    survivors = []
    for mutant in [UNCHANGED] + mutants:
        is_kept = (KEPT / mutant["name"] / WHOLE).exists()
        if "--run" not in words and not ("--go-on" in words and is_kept):
            build(mutant)
        if "--build" in words:
            continue
        red = red_test(mutant)
        if mutant is UNCHANGED:
            if red:
                raise SystemExit(f"{red} is red without any mutant")
            continue
        print(f"{mutant['name']}: {red or 'NOBODY SAW IT'}", flush=True)
        if red is None:
            survivors.append(mutant["name"])
    if "--build" not in words:
        print(f"{len(survivors)} of {len(mutants)} unseen", *survivors)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
