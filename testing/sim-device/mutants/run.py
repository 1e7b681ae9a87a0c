#!/usr/bin/env python3
"""Builds every mutant into a copy of the device's crates and shows which test turns red.

    testing/sim-device/mutants/run.py [--go-on] [--lives] [NAME ...]

The tests of the mutant's own crate come first, whole lives next (with --lives: first), and the
first red test ends it. Prints a line a mutant and what no test saw; the exit status is 1 if
there is such a one. With --go-on, mutants that were seen since their code changed are not
built again; the time they took counts.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCRATCH = Path(os.environ.get("OTARU_MUTANTS_DIR", ROOT / "target" / "mutants"))
CARGO = os.environ.get("CARGO", "cargo")
CRATES = [
    "contract/curves", "contract/wire", "contract/shadow", "contract/release", "server/patches",
    "device/agent", "device/slots", "device/host",
    "testing/sim-flash", "testing/sim-device",
]
LIVES = "otaru-sim-device"
# No test program may need longer: a mutant that never ends is seen, too.
LIMIT_S = 300
# The same, unchanged: what turns red there sees no mutant.
UNCHANGED = {"name": "unchanged", "file": "device/agent/src/lib.rs", "find": None}


class DoesNotBuild(Exception):
    """Such a mutant shows nothing."""


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


def mutated(mutant):
    """The mutant's file as it is to be built."""
    text = (ROOT / mutant["file"]).read_text()
    if not mutant["find"]:
        return text
    find = mutant["find"].lstrip("\n")
    if text.count(find) != 1:
        raise SystemExit(f"{mutant['name']}: `find` stands {text.count(find)} times in its file")
    return text.replace(find, mutant["replace"].lstrip("\n"))


def packages_of(mutant, lives_first):
    if mutant is UNCHANGED:
        return ["otaru-slots", "otaru-agent", "otaru-host", LIVES]
    packages = ["otaru-" + mutant["file"].split("/")[1], LIVES]
    return packages[::-1] if lives_first else packages


def red_test(mutant, packages):
    """The first test that turned red; None when all are green."""
    path = SCRATCH / mutant["file"]
    path.write_text(mutated(mutant))
    try:
        for package in packages:
            for executable in test_executables(package):
                if red := first_red(executable):
                    return f"{package} {red}"
    finally:
        shutil.copyfile(ROOT / mutant["file"], path)
    return None


def test_executables(package):
    run = subprocess.run(
        [*CARGO.split(), "test", "--no-run", "--offline", "--profile", "proof",
         "--lib", "--tests", "--message-format", "json", "--package", package],
        cwd=SCRATCH, env=dict(os.environ, CARGO_TARGET_DIR=str(SCRATCH / "target")),
        capture_output=True, text=True,
    )
    if run.returncode != 0:
        raise DoesNotBuild(f"{run.stdout[-3000:]}{run.stderr[-3000:]}")
    messages = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    found = [found for message in messages if (found := message.get("executable"))
             and message.get("profile", {}).get("test")]
    # What was found before comes first. The figures beside others' come last: they see much,
    # and say little about what broke.
    order = ["otaru_", "it-", "update-", "regressions-", "proof-", "models-"]
    place = lambda path: [Path(path).name.startswith(name) for name in order].index(True)
    return sorted(found, key=place)


def first_red(executable):
    """The first test of a program that fails, by which it is ended."""
    run = subprocess.Popen([executable], cwd=ROOT / "testing" / "sim-device", text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    ended = threading.Event()
    def limit():
        if not ended.wait(LIMIT_S):
            run.kill()
    threading.Thread(target=limit, daemon=True).start()
    try:
        for line in run.stdout:
            if red := re.match(r"test (\S+)(?: - should panic)? \.\.\. FAILED", line):
                return red.group(1)
        if run.wait() < 0:
            return "(does not end)"
        return None if run.returncode == 0 else "(ends early)"
    finally:
        ended.set()
        run.kill()
        run.wait()


def digest_of(mutant):
    """Changes with the mutant's file, and with nothing else."""
    return hashlib.sha256(mutated(mutant).encode()).hexdigest()


def main():
    words = sys.argv[1:]
    names = [word for word in words if not word.startswith("--")]
    mutants = tomllib.loads((Path(__file__).parent / "mutants.toml").read_text())["mutant"]
    mutants = [mutant for mutant in mutants if not names or mutant["name"] in names]
    SCRATCH.mkdir(parents=True, exist_ok=True)
    copy_crates()
    seen_path = SCRATCH / "seen.json"
    seen = json.loads(seen_path.read_text()) if "--go-on" in words and seen_path.exists() else {}
    survivors = []
    seconds = 0
    # All of them first: what does not apply any more is told before anything is built.
    digests = {mutant["name"]: digest_of(mutant) for mutant in [UNCHANGED] + mutants}
    for mutant in [UNCHANGED] + mutants:
        name, digest = mutant["name"], digests[mutant["name"]]
        if seen.get(name, [None])[0] == digest:
            _, red, took = seen[name]
        else:
            began = time.monotonic()
            try:
                red = red_test(mutant, packages_of(mutant, "--lives" in words))
            except DoesNotBuild as error:
                print(f"{name} does not build:\n{error}", flush=True)
                red = "it does not build" if mutant is UNCHANGED else None
            took = time.monotonic() - began
        seconds += took
        if mutant is UNCHANGED and red:
            raise SystemExit(f"unchanged: {red}")
        if mutant is UNCHANGED or red:
            seen[name] = [digest, red, took]
            seen_path.write_text(json.dumps(seen, indent=1))
        if mutant is UNCHANGED:
            continue
        print(f"{name}: {red or 'NOBODY SAW IT'}", flush=True)
        if red is None:
            survivors.append(name)
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} seen in {seconds / 60:.0f} min;",
          "unseen:" if survivors else "none unseen", *survivors)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
