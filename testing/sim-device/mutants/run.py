#!/usr/bin/env python3
"""Builds every mutant into a copy of the device's crates and shows which test turns red.

    testing/sim-device/mutants/run.py [NAME ...]

Prints a line a mutant and what no test saw; the exit status is 1 if there is such a one.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCRATCH = Path(os.environ.get("OTARU_MUTANTS_DIR", ROOT / "target" / "mutants"))
CARGO = os.environ.get("CARGO", "cargo")
CRATES = [
    "contract/wire", "contract/shadow", "contract/release",
    "device/agent", "device/slots", "device/host",
    "testing/sim-flash", "testing/sim-device",
]
# The first that turns red ends it: whole lives first, then the crates' own tests.
TESTS = [["otaru-sim-device"], ["otaru-slots", "otaru-agent"]]


def copy_crates():
    for crate in CRATES:
        target = SCRATCH / crate
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(ROOT / crate, target, ignore=shutil.ignore_patterns("target"))
    manifest = (ROOT / "Cargo.toml").read_text()
    members = ",\n".join(f'    "{crate}"' for crate in CRATES)
    manifest = re.sub(r"members = \[.*?\]", f"members = [\n{members},\n]", manifest, flags=re.S)
    manifest = re.sub(r"exclude = \[.*?\]\n", "", manifest)
    (SCRATCH / "Cargo.toml").write_text(manifest)
    shutil.copy(ROOT / "Cargo.lock", SCRATCH / "Cargo.lock")


def red_test(packages):
    """The first test that turned red, or how the build failed; None when all are green."""
    arguments = [word for package in packages for word in ("--package", package)]
    environment = dict(os.environ, CARGO_TARGET_DIR=str(SCRATCH / "target"))
    run = subprocess.run(
        [*CARGO.split(), "test", "--offline", "--profile", "proof", *arguments],
        cwd=SCRATCH, env=environment, capture_output=True, text=True,
    )
    if run.returncode == 0:
        return None
    failed = re.search(r"^test (\S+) \.\.\. FAILED$", run.stdout, flags=re.M)
    if failed:
        return failed.group(1)
    errors = re.findall(r"^error.*$", run.stderr, flags=re.M)
    raise SystemExit(f"the mutant does not build: {errors[:1]}\n{run.stderr[-3000:]}")


def main():
    mutants = tomllib.loads((Path(__file__).parent / "mutants.toml").read_text())["mutant"]
    wanted = sys.argv[1:]
    SCRATCH.mkdir(parents=True, exist_ok=True)
    copy_crates()
    survivors = []
    for mutant in mutants:
        name = mutant["name"]
        if wanted and name not in wanted:
            continue
        path = SCRATCH / mutant["file"]
        before = path.read_text()
        find = mutant["find"].lstrip("\n")
        if before.count(find) != 1:
            raise SystemExit(f"{name}: `find` stands {before.count(find)} times in {mutant['file']}")
        path.write_text(before.replace(find, mutant["replace"].lstrip("\n")))
        red = next((red for red in map(red_test, TESTS) if red), None)
        path.write_text(before)
        print(f"{name}: {red or 'NOBODY SAW IT'}", flush=True)
        if red is None:
            survivors.append(name)
    print(f"{len(survivors)} unseen" + "".join(f" {name}" for name in survivors))
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
