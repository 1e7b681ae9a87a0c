#!/usr/bin/env python3
"""Has cargo-mutants name every mutant it knows of a crate, and tells which no test of that
crate sees.

    testing/sim-device/mutants/survey.py [--build | --run | --each] CRATE [FILE ...]

CRATE is device/slots or device/agent, a FILE such as records/open.rs lies in its src. Where
cargo-mutants builds and links each mutant for itself, this builds one program with all of
them: each function becomes a choice among its bodies, made by a variable of the environment.
What does not compile is left out, as cargo-mutants does. Functions that are `const`, or whose
result has no name, and constants, cannot choose: --each builds a program for each of these.
Prints a line a mutant that nobody saw, and totals by file. The first red test ends a mutant;
what was seen is not looked at again until its file changes. --build builds alone, --run runs
what was built, as long as nothing changed. What is known of survivors is in survivors.md.
"""

import hashlib
import json
import os
import re
import resource
import subprocess
import sys
from collections import Counter, defaultdict

sys.dont_write_bytecode = True
import run
from run import ROOT, SCRATCH

CARGO_MUTANTS = os.environ.get("CARGO_MUTANTS", "cargo mutants").split()
CHOICE = """
extern crate std as survey_std;
/// Which mutant runs; 0 for none.
#[doc(hidden)]
pub fn survey_choice() -> u32 {
    static CHOICE: survey_std::sync::OnceLock<u32> = survey_std::sync::OnceLock::new();
    *CHOICE.get_or_init(|| {
        let chosen = survey_std::env::var("OTARU_SURVEY_CHOICE");
        chosen.map_or(0, |chosen| chosen.parse().expect("a number"))
    })
}
"""
# Seconds of processor, not of time: it may run beside others.
LIMIT_S, SLOW_LIMIT_S = 8, 300
# What goes over every bit, every operation or random lives is left for what nothing else sees.
SLOW = ["one_flipped_bit", "no_flipped_bit", "records_sweep::", "flipped_bit_in_otadata",
        "a_torn_mark_starts_one_of_the_two", "damaged_records", "store_behaves_as_a_map",
        "upgrade_survives", "chaos::", "properties::", "a_cut_at_every_effect"]
TOKENS = re.compile(
    r"""//[^\n]*|/\*.*?\*/|b?r(\#*)".*?"\1|b?"(?:\\.|[^"\\])*"|b?'(?:\\[^']+|[^'\\])'|[{}]""", re.S)


def listed(crate):
    """What cargo-mutants would build, with offsets in place of lines and columns."""
    listing = subprocess.run(
        [*CARGO_MUTANTS, "--list", "--json", "--dir", ROOT, "--package", run.name_of(crate)],
        check=True, stdout=subprocess.PIPE, text=True,
    )
    mutants = json.loads(listing.stdout)
    texts = {mutant["file"]: (ROOT / mutant["file"]).read_text() for mutant in mutants}
    for mutant in mutants:
        text = texts[mutant["file"]]
        mutant["at"] = span(text, mutant["span"])
        mutant["of"] = span(text, mutant["function"]["span"]) if mutant["function"] else None
    return mutants, texts


def span(text, of):
    starts = [0] + [found.end() for found in re.finditer("\n", text)]
    return tuple(starts[of[side]["line"] - 1] + of[side]["column"] - 1 for side in ("start", "end"))


def body_of(function):
    """Where the last braces on the outside begin."""
    depth, opened = 0, None
    for token in TOKENS.finditer(function):
        if token.group() == "{":
            opened = token.start() if depth == 0 else opened
            depth += 1
        elif token.group() == "}":
            depth -= 1
    return opened


def switched(text, mutants, numbers):
    """A file whose functions choose their body, and which lines are whose."""
    by_function = defaultdict(list)
    for mutant in mutants:
        by_function[mutant["of"]].append(mutant)
    pieces, owners, at = [], {}, 0
    line = 1

    def push(piece, owner=None):
        nonlocal line
        pieces.append(piece)
        for _ in range(piece.count("\n") + 1):
            owners.setdefault(line, owner) if owner is None else owners.update({line: owner})
            line += 1
        line -= 1

    for (start, end), inside in sorted(by_function.items()):
        opened = start + body_of(text[start:end])
        push(text[at:opened] + "{ match crate::survey_choice() {\n")
        for mutant in inside:
            first, last = mutant["at"]
            changed = text[opened:first] + mutant["replacement"] + " " + text[last:end]
            push(f"{numbers[mutant['name']]} => {changed}", mutant["name"])
            push("\n")
        push(f"_ => {text[opened:end]}\n}} }}")
        at = end
    push(text[at:])
    return "".join(pieces), owners


def chooses(mutant, text):
    """Whether its function can be made to choose."""
    if mutant["of"] is None:
        return False
    function = text[slice(*mutant["of"])]
    signature = function[:body_of(function)]
    signature = re.sub(r"//[^\n]*", "", signature)
    return not re.search(r"\bconst\s+(unsafe\s+)?fn\b|->\s*impl\b", signature)


def make_package(crate):
    """A workspace with the crate under another name. Answers that."""
    package, place = f"{run.name_of(crate)}-survey", f"survey/{crate}"

    def manifest_of(manifest):
        manifest = manifest.replace(f'name = "{run.name_of(crate)}"', f'name = "{package}"')
        manifest = manifest.replace('path = "../../', 'path = "../../../')
        return manifest + f'\n[lib]\nname = "{run.name_of(crate).replace("-", "_")}"\n'

    run.copy_crate(crate, SCRATCH / place, manifest_of)
    run.make_workspace([place])
    return package


def build(crate, mutants, texts):
    """One package with all mutants that compile. Answers its programs, and what it is without."""
    unviable, package = set(), make_package(crate)
    library = f"{crate}/src/lib.rs"
    texts = {library: (ROOT / library).read_text(), **texts}
    numbers = {mutant["name"]: number for number, mutant in enumerate(mutants, 1)}
    while True:
        owners = {}
        for file, text in texts.items():
            inside = [m for m in mutants if m["file"] == file and m["name"] not in unviable]
            content, owners[file] = switched(text, inside, numbers)
            content += CHOICE if file == library else ""
            run.write(SCRATCH / "survey" / file, content.encode())
        programs, errors = compile_once(package)
        if not errors:
            digest = lambda text: hashlib.sha256(text.encode()).hexdigest()
            digests = {file: digest(text) for file, text in texts.items()}
            return {"programs": programs, "numbers": numbers, "unviable": sorted(unviable),
                    "digests": digests}
        owner = lambda file, line: owners.get(file.removeprefix("survey/"), {}).get(line)
        broken = {owner(file, line) for file, line, _ in errors}
        if not broken - {None}:
            raise SystemExit("".join(message for _, _, message in errors[:5]))
        unviable |= broken - {None}
        print(f"{len(unviable)} do not compile", flush=True)


def compile_once(package):
    """Its test programs, and where it does not compile. Checks alone first, for speed."""
    profile = dict(os.environ, CARGO_TARGET_DIR=str(SCRATCH / "target"),
                   CARGO_PROFILE_DEV_DEBUG="0", CARGO_PROFILE_DEV_OPT_LEVEL="1")
    for command in (["check", "--lib"], ["build", "--lib", "--tests"]):
        done = subprocess.run(
            [*run.CARGO.split(), *command, "--offline", "--message-format", "json", "-p", package],
            cwd=SCRATCH, env=profile, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        told = [message["message"] for message in messages if message.get("message")]
        errors = [(place["file_name"], place["line_start"], message["rendered"])
                  for message in told if message["level"] == "error"
                  for place in message["spans"] if place["is_primary"]]
        if errors:
            return [], errors
        if done.returncode != 0:
            raise SystemExit(done.stderr[-3000:])
    return [message["executable"] for message in messages
            if message.get("executable") and message["profile"]["test"]], []


def judge(programs, crate, number, words, limit_s):
    """The test that sees a mutant, if one does."""
    choice = {"OTARU_SURVEY_CHOICE": str(number), "PROPTEST_MAX_SHRINK_ITERS": "0"}
    limited = lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))
    for program in programs:
        if red := run.first_red(program, crate, words, choice, limited):
            return red
    return "missed"


def main():
    run.LIMIT_S = 3600
    words = sys.argv[1:]
    crate, *files = [word for word in words if not word.startswith("--")]
    every, texts = listed(crate)
    if "--each" in words:
        return each(crate, [m for m in every if not chooses(m, texts[m["file"]])], texts)
    mutants = [mutant for mutant in every if chooses(mutant, texts[mutant["file"]])]
    SCRATCH.mkdir(parents=True, exist_ok=True)
    kept = SCRATCH / f"{run.name_of(crate)}.json"
    if "--run" not in words:
        built = build(crate, mutants, texts)
        forget_changed(crate, kept, built)
        kept.write_text(json.dumps(built, indent=1))
        print(f"{len(mutants)} of {len(every)} are built", flush=True)
    if "--build" in words:
        return
    short = lambda mutant: mutant["file"].removeprefix(f"{crate}/src/")
    if files:
        every = [mutant for mutant in every if short(mutant) in files]
        every.sort(key=lambda mutant: files.index(short(mutant)))
    survey(crate, every, json.loads(kept.read_text()))


def each(crate, mutants, texts):
    """Builds a program for each mutant, and runs its tests; tells of it, and keeps it."""
    package, found_path = make_package(crate), SCRATCH / f"{run.name_of(crate)}-each.json"
    found = json.loads(found_path.read_text()) if found_path.exists() else {}
    skip = [word for name in SLOW for word in ("--skip", name)]
    for mutant in mutants:
        name, file, text = mutant["name"], mutant["file"], texts[mutant["file"]]
        first, last = mutant["at"]
        changed = text[:first] + mutant["replacement"] + text[last:]
        key = hashlib.sha256(changed.encode()).hexdigest()
        if found.get(name, [None])[0] != key:
            run.write(SCRATCH / "survey" / file, changed.encode())
            programs, errors = compile_once(package)
            verdict = "unviable" if errors else judge(programs, crate, 0, skip, LIMIT_S)
            if verdict == "missed":
                verdict = judge(programs, crate, 0, SLOW, SLOW_LIMIT_S)
            run.write(SCRATCH / "survey" / file, text.encode())
            found[name] = [key, verdict]
            found_path.write_text(json.dumps(found, indent=1))
        print(f"{found[name][1]}: {name}", flush=True)


def forget_changed(crate, kept, built):
    """What was seen in a file that is another now says nothing any more."""
    found_path = SCRATCH / f"{run.name_of(crate)}-found.json"
    if not kept.exists() or not found_path.exists():
        return
    before = json.loads(kept.read_text()).get("digests", built["digests"])
    same = {file for file, digest in built["digests"].items() if before.get(file) == digest}
    found = json.loads(found_path.read_text())
    still = {name: verdict for name, verdict in found.items() if name.split(":")[0] in same}
    if still != found:
        found_path.write_text(json.dumps(still, indent=1))


def survey(crate, mutants, built):
    """Runs what is built, first the quick tests of all; tells of it, and keeps it."""
    skip = [word for name in SLOW for word in ("--skip", name)]
    found_path = SCRATCH / f"{run.name_of(crate)}-found.json"
    found = json.loads(found_path.read_text()) if found_path.exists() else {}
    runnable = [mutant["name"] for mutant in mutants
                if mutant["name"] in built["numbers"] and mutant["name"] not in built["unviable"]]
    passes = ((skip, LIMIT_S, (None, "missed")), (SLOW, SLOW_LIMIT_S, ("unsure",)))
    for words, limit_s, to_do in passes:
        if (red := judge(built["programs"], crate, 0, words, SLOW_LIMIT_S)) != "missed":
            raise SystemExit(f"{red} is red without any mutant")
        for name in runnable:
            if found.get(name) in to_do:
                verdict = judge(built["programs"], crate, built["numbers"][name], words, limit_s)
                found[name] = "unsure" if (verdict, words) == ("missed", skip) else verdict
                found_path.with_suffix(".new").write_text(json.dumps(found, indent=1))
                found_path.with_suffix(".new").rename(found_path)
    totals = defaultdict(Counter)
    for mutant in mutants:
        name = mutant["name"]
        verdict = "unviable" if name in built["unviable"] else found.get(name, "not built")
        totals[mutant["file"]][verdict if verdict in ("missed", "unviable", "not built") else
                               "timeout" if verdict == "(does not end)" else "caught"] += 1
        if verdict in ("missed", "not built"):
            print(f"{verdict}: {name}", flush=True)
    for file, counts in totals.items():
        print(file, dict(counts))


if __name__ == "__main__":
    main()
