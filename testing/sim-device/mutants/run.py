#!/usr/bin/env python3
"""Builds every mutant into a copy of the device's crates and shows which test turns red.

    testing/sim-device/mutants/run.py [--go-on] [--lives] [--mutants-only] [NAME ...]

The tests without a mutant come first, and must be green. Then all mutants are built at once,
each as a package of its own, and the tests of the mutant's own crate are run; what they do not
see is built again with whole lives (--lives: all are). The first red test ends a mutant.
Prints a line a mutant, what no test saw, and totals; the exit status is 1 if there is such a
one. With --go-on, mutants that were seen since their code changed are not built again; with
--mutants-only, the tests without a mutant are left out.
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
# What is built anew with a mutant of a crate, so that whole lives are lived with it.
DEPENDENTS = {
    "device/slots": ["device/host", "testing/sim-device"],
    "device/agent": ["device/host", "testing/sim-device"],
    "device/host": ["testing/sim-device"],
}
LIVES = "testing/sim-device"
# No test program may need longer: a mutant that never ends is seen, too.
LIMIT_S = 300


def write(target, content):
    """What did not change keeps its time, and is not built again."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or target.read_bytes() != content:
        target.write_bytes(content)


def copy_crate(crate, to, manifest_of=lambda manifest: manifest, changed=None):
    for source in sorted((ROOT / crate).rglob("*")):
        if source.is_dir():
            continue
        content = source.read_bytes()
        if source == ROOT / crate / "Cargo.toml":
            content = manifest_of(content.decode()).encode()
        if changed and source == ROOT / changed["file"]:
            content = mutated(changed).encode()
        write(to / source.relative_to(ROOT / crate), content)


def make_workspace(members):
    """One of the device's crates alone, and of the mutants that are to be built."""
    for crate in CRATES:
        copy_crate(crate, SCRATCH / crate)
    manifest = (ROOT / "Cargo.toml").read_text()
    listed = ",\n".join(f'    "{crate}"' for crate in CRATES + members)
    manifest = re.sub(r"members = \[.*?\]", f"members = [\n{listed},\n]", manifest, flags=re.S)
    manifest = re.sub(r"exclude = \[.*?\]\n", "", manifest)
    # What is put in the place of a library is the server's, and is not copied.
    manifest = re.sub(r"^\[patch\.[^\[]*", "", manifest, flags=re.M)
    write(SCRATCH / "Cargo.toml", manifest.encode())
    shutil.copyfile(ROOT / "Cargo.lock", SCRATCH / "Cargo.lock")


def name_of(crate):
    return "otaru-" + crate.split("/")[1]


def crate_of(mutant):
    return "/".join(mutant["file"].split("/")[:2])


def mutated(mutant):
    """The mutant's file as it is to be built."""
    text = (ROOT / mutant["file"]).read_text()
    find = mutant["find"].lstrip("\n")
    if text.count(find) != 1:
        raise SystemExit(f"{mutant['name']}: `find` stands {text.count(find)} times in its file")
    return text.replace(find, mutant["replace"].lstrip("\n"))


def make_mutant(mutant, with_lives):
    """Its crate under another package name, so that one build makes all mutants; with whole
    lives, also what depends on it. Answers the members."""
    crates = [crate_of(mutant)] + (DEPENDENTS[crate_of(mutant)] if with_lives else [])
    place = f"mutant/{mutant['name']}"

    def manifest_of(manifest):
        for crate in crates:
            name, package = name_of(crate), f"{name_of(crate)}-{mutant['name']}"
            library = name.replace("-", "_")
            manifest = manifest.replace(
                f'name = "{name}"\n', f'name = "{package}"\nautobins = false\n')
            if f'name = "{package}"' in manifest:
                manifest += f'\n[lib]\nname = "{library}"\n'
            own = f'{name} = {{ package = "{package}", path = "../../{crate}" }}'
            manifest = manifest.replace(f"{name}.workspace = true", own)
        # What is no mutant's lies where it lay, two folders further up.
        manifest = manifest.replace('path = "../../contract/', 'path = "../../../../contract/')
        return manifest

    for crate in crates:
        copy_crate(crate, SCRATCH / place / crate, manifest_of, mutant)
    return [f"{place}/{crate}" for crate in crates]


def build(packages):
    """Builds the tests of these packages in one go. Answers, by package, its test programs,
    and which packages do not build."""
    words = [word for package in packages for word in ("--package", package)]
    run = subprocess.run(
        [*CARGO.split(), "build", "--offline", "--keep-going", "--profile", "proof",
         "--lib", "--tests", "--message-format", "json", *words],
        cwd=SCRATCH, env=dict(os.environ, CARGO_TARGET_DIR=str(SCRATCH / "target")),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    programs, broken = {package: [] for package in packages}, set()
    for line in run.stdout.splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        place = message.get("package_id", "")
        if message.get("reason") == "compiler-message" and message["message"]["level"] == "error":
            print(message["message"]["rendered"], flush=True)
            broken.add(place)
        if message.get("executable") and message["profile"]["test"]:
            package = re.search(r"#(?:([^@]+)@)?", place).group(1) or place.split("#")[0].split("/")[-1]
            programs[package].append(message["executable"])
    if run.returncode != 0 and not broken:
        raise SystemExit(f"nothing is built:\n{run.stderr[-3000:]}")
    # What was found before comes first. The figures beside others' come last: they see much,
    # and say little about what broke.
    order = ["otaru_", "it-", "update-", "regressions-", "proof-", "reach-", "models-"]
    place = lambda path: [Path(path).name.startswith(name) for name in [*order, ""]].index(True)
    return {package: sorted(found, key=place) for package, found in programs.items()}, broken


def look(mutants, lives, seen):
    """Builds these mutants at once, runs the tests of their own crate, or whole lives with
    them, and tells of each that is seen."""
    members, package_of = [], {}
    for mutant in mutants:
        members += make_mutant(mutant, lives)
        crate = LIVES if lives else crate_of(mutant)
        package_of[mutant["name"]] = f"{name_of(crate)}-{mutant['name']}"
    make_workspace(members)
    programs, broken = build(package_of.values()) if mutants else ({}, set())
    for mutant in mutants:
        name = mutant["name"]
        if any(f"/mutant/{name}/" in place for place in broken):
            print(f"{name}: DOES NOT BUILD", flush=True)
            continue
        crate = LIVES if lives else crate_of(mutant)
        for executable in programs[package_of[name]]:
            if red := first_red(executable, crate):
                seen[name] = [digest_of(mutant), f"{name_of(crate)} {red}"]
                print(f"{name}: {seen[name][1]}", flush=True)
                break
        (SCRATCH / "seen.json").write_text(json.dumps(seen, indent=1))


def check_unchanged():
    """What turns red without any mutant sees none."""
    make_workspace([])
    crates = [*DEPENDENTS, LIVES]
    programs, broken = build([name_of(crate) for crate in crates])
    if broken:
        raise SystemExit("the tests do not build")
    for crate in crates:
        for executable in programs[name_of(crate)]:
            if red := first_red(executable, crate):
                raise SystemExit(f"{name_of(crate)} {red} is red without any mutant")


def first_red(executable, crate, words=(), variables=(), before=None):
    """The first test of a program that fails, by which it is ended."""
    # Where files that a test holds against what it prints are looked for.
    environment = dict(os.environ, CARGO_WORKSPACE_DIR=str(SCRATCH), **dict(variables))
    run = subprocess.Popen([executable, *words], cwd=ROOT / crate, env=environment,
                           text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                           preexec_fn=before)
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
    listed = tomllib.loads((Path(__file__).parent / "mutants.toml").read_text())["mutant"]
    mutants = [mutant for mutant in listed if not names or mutant["name"] in names]
    SCRATCH.mkdir(parents=True, exist_ok=True)
    seen_path = SCRATCH / "seen.json"
    seen = json.loads(seen_path.read_text()) if "--go-on" in words and seen_path.exists() else {}
    seen = {mutant["name"]: seen[mutant["name"]] for mutant in listed
            if seen.get(mutant["name"], [None])[0] == digest_of(mutant)}
    unseen = lambda: [mutant for mutant in mutants if mutant["name"] not in seen]
    print(f"{len(mutants) - len(unseen())} of {len(mutants)} were seen before", flush=True)
    began = time.monotonic()
    if "--mutants-only" not in words:
        check_unchanged()
    if "--lives" not in words:
        look(unseen(), False, seen)
    look(unseen(), True, seen)
    minutes = (time.monotonic() - began) / 60
    for mutant in unseen():
        print(f"{mutant['name']}: NOBODY SAW IT")
    print(f"{len(mutants) - len(unseen())} of {len(mutants)} seen in {minutes:.0f} min")
    return 1 if unseen() else 0


if __name__ == "__main__":
    sys.exit(main())
