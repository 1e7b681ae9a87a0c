"""Two slots, a trial of the new one, and a memory that survives a power cut."""

import json
import logging
import os
import signal
import subprocess
import threading
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from shadow import back_off

LOG = logging.getLogger("otaru_plain")
COMMAND_S = 600
# A restart that fails may say nothing about the image; one that fails this often does.
RESTARTS = 3


@dataclass
class Memory:
    """What must not be forgotten."""

    path: Path
    version: str
    """What runs and is confirmed."""
    slot: str = "a"
    settings: dict[str, Any] = field(default_factory=dict)
    download: dict[str, Any] = field(default_factory=dict)
    trial: dict[str, Any] = field(default_factory=dict)
    """What is tried, and its stage: armed, started, testing, and back if it failed."""
    failed: dict[str, Any] = field(default_factory=dict)
    """Version, when it was asked for, and why it is not tried again until asked for anew."""

    @classmethod
    def of(cls, path: Path, factory_version: str) -> "Memory":
        return cls(path, **(json.loads(path.read_text()) if path.exists() else {"version": factory_version}))

    def keep(self, **what: Any) -> None:
        """Remembers what is new, here only once it is on disk: neither knows more than the other."""
        new = replace(self, **what)
        write(self.path, {name: value for name, value in asdict(new).items() if name != "path"})
        for name, value in what.items():
            setattr(self, name, value)


class Slots:
    """The images `slot-a.bin` and `slot-b.bin`, and the link `current` to the one that runs."""

    def __init__(self, memory: Memory, restart: str, self_test: str, stop: threading.Event) -> None:
        self.folder, self.memory, self.stop = memory.path.parent, memory, stop
        self.restart, self.self_test = restart, self_test
        # One that the memory speaks of, and that is not under way here, was ended by power or a crash, or failed.
        self.is_testing = False
        if not memory.trial and self.current() not in (None, self.file(memory.slot).name):
            # Older versions of this program forgot a trial before they had gone back from it.
            memory.keep(trial={"stage": "back"})

    def take(self, image: Path, version: str, asked_at: Any) -> None:
        """Puts a checked image into the other slot, to be tried."""
        put(image, self.file(self.other))
        self.memory.keep(trial={"version": version, "asked_at": asked_at, "stage": "armed"})

    def go_on(self) -> None:
        """Brings a trial on from the stage it is at; it is over once the memory has none.

        Each restart is owed by its stage, written down before `current` moves, until --restart ended well.
        """
        if self.stage == "testing" and not self.is_testing:
            self.give_up("it ended in its self-test")
        if self.stage == "armed":
            self.start_new()
        if self.stage in ("started", "testing") and not self.stop.is_set():
            self.test()
        if self.stage == "back":
            self.go_back()

    def start_new(self) -> None:
        while self.memory.trial.get("tries", 0) < RESTARTS:
            if not self.wait_for_try():
                return
            if self.start(self.other, self.memory.trial["version"]):
                self.reach("started")
                return
        # Whoever stops this program may have stopped the restart as well: the next start judges.
        if not self.stop.is_set():
            self.give_up("it could not be started")

    def wait_for_try(self) -> bool:
        """Counts a restart before it is begun: one that restarts the machine never returns."""
        tries = self.memory.trial.get("tries", 0)
        if self.stop.is_set() or tries and self.stop.wait(back_off(tries)):
            return False
        self.memory.keep(trial=self.memory.trial | {"tries": tries + 1})
        return True

    def test(self) -> None:
        version = self.memory.trial["version"]
        self.is_testing = True
        self.reach("testing")
        if self.run(self.self_test, self.other, version):
            self.memory.keep(slot=self.other, version=version, failed={}, trial={})
            LOG.info("confirmed %s", version)
        elif self.stop.is_set():
            # As with the restart.
            self.reach("started")
        else:
            self.is_testing = False
            self.give_up("it failed its self-test")

    def give_up(self, why: str) -> None:
        trial = self.memory.trial
        self.fail(trial["version"], trial["asked_at"], why, trial=trial | {"stage": "back", "tries": 0})

    def go_back(self) -> None:
        if self.wait_for_try() and self.start(self.memory.slot, self.memory.version):
            self.memory.keep(trial={})

    def fail(self, version: str, asked_at: Any, why: str, **also: Any) -> None:
        LOG.warning("%s: %s", version, why)
        self.memory.keep(failed={"version": version, "asked_at": asked_at, "why": why}, **also)

    def start(self, slot: str, version: str) -> bool:
        """Restarts into a slot; answers whether --restart ended well."""
        link = self.folder / "current.new"
        link.unlink(missing_ok=True)
        link.symlink_to(self.file(slot).name)
        put(link, self.folder / "current")
        has_started = self.run(self.restart, slot, version)
        if not has_started:
            LOG.warning("--restart into %s did not end well", version)
        return has_started

    def reach(self, stage: str) -> None:
        self.memory.keep(trial=self.memory.trial | {"stage": stage})

    def run(self, line: str, slot: str, version: str) -> bool:
        return command(line, OTARU_IMAGE=str(self.file(slot)), OTARU_VERSION=version)

    @property
    def stage(self) -> str | None:
        return self.memory.trial.get("stage")

    @property
    def other(self) -> str:
        return "b" if self.memory.slot == "a" else "a"

    def current(self) -> str | None:
        link = self.folder / "current"
        return str(link.readlink()) if link.is_symlink() else None

    def file(self, slot: str) -> Path:
        return self.folder / f"slot-{slot}.bin"


def command(line: str, **about: str) -> bool:
    """Runs a command of the product; answers whether it ended well and in time."""
    return status(line, **about) == 0


def status(line: str, **about: str) -> int | None:
    """Runs a command of the product; answers what it ended with, and nothing if it takes too long.

    What takes too long is killed with everything it started.
    """
    started = subprocess.Popen(line, shell=True, env=os.environ | about, start_new_session=True)
    try:
        return started.wait(COMMAND_S)
    except subprocess.TimeoutExpired:
        LOG.warning("killed after %d s: %s", COMMAND_S, line)
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()
        return None


def write(path: Path, document: dict[str, Any]) -> None:
    """Replaces a file that nobody else may read: settings may hold a password."""
    new = path.with_suffix(".new")
    # One that a power cut left behind may have other rights.
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(json.dumps(document))
    put(new, path)


def put(new: Path, path: Path) -> None:
    """Gives a finished file its name: after a power cut there is the old one or the new one, whole."""
    if not new.is_symlink():
        sync(new)
    os.replace(new, path)
    sync(path.parent)


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
