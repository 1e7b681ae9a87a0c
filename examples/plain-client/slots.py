"""Two slots, a trial of the new one, and a memory that survives a power cut."""

import json
import logging
import os
import signal
import subprocess
import threading
from dataclasses import asdict, dataclass, field
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

    def save(self) -> None:
        write(self.path, {name: value for name, value in asdict(self).items() if name != "path"})


class Slots:
    """The images `slot-a.bin` and `slot-b.bin`, and the link `current` to the one that runs."""

    def __init__(self, memory: Memory, restart: str, self_test: str, stop: threading.Event) -> None:
        self.folder, self.memory, self.stop = memory.path.parent, memory, stop
        self.restart, self.self_test = restart, self_test
        if not memory.trial and self.current() not in (None, self.file(memory.slot).name):
            # Older versions of this program forgot a trial before they had gone back from it.
            memory.trial = {"stage": "back"}
            memory.save()

    def take(self, image: Path, version: str, asked_at: Any) -> None:
        """Puts a checked image into the other slot, to be tried."""
        put(image, self.file(self.other))
        self.memory.trial = {"version": version, "asked_at": asked_at, "stage": "armed"}
        self.memory.save()

    def go_on(self) -> None:
        """Brings a trial on from the stage it is at; it is over once the memory has none.

        Each restart is owed by its stage, written down before `current` moves, until --restart ended well.
        """
        trial = self.memory.trial
        if trial["stage"] == "testing":
            self.give_up("it ended in its self-test")
        if trial["stage"] == "armed":
            self.start_new()
        if trial["stage"] == "started" and not self.stop.is_set():
            self.test()
        if trial["stage"] == "back":
            self.go_back()

    def start_new(self) -> None:
        trial = self.memory.trial
        while trial.get("tries", 0) < RESTARTS:
            if not self.wait_for_try():
                return
            if self.start(self.other, trial["version"]):
                self.reach("started")
                return
        # Whoever stops this program may have stopped the restart as well: the next start judges.
        if not self.stop.is_set():
            self.give_up("it could not be started")

    def wait_for_try(self) -> bool:
        """Counts a restart before it is begun: one that restarts the machine never returns."""
        trial = self.memory.trial
        tries = trial.get("tries", 0)
        if self.stop.is_set() or tries and self.stop.wait(back_off(tries)):
            return False
        trial["tries"] = tries + 1
        self.memory.save()
        return True

    def test(self) -> None:
        version = self.memory.trial["version"]
        self.reach("testing")
        if self.run(self.self_test, self.other, version):
            self.memory.slot, self.memory.version = self.other, version
            self.memory.failed, self.memory.trial = {}, {}
            self.memory.save()
            LOG.info("confirmed %s", version)
        elif self.stop.is_set():
            # As with the restart.
            self.reach("started")
        else:
            self.give_up("it failed its self-test")

    def give_up(self, why: str) -> None:
        trial = self.memory.trial
        trial["stage"], trial["tries"] = "back", 0
        self.fail(trial["version"], trial["asked_at"], why)

    def go_back(self) -> None:
        if self.wait_for_try() and self.start(self.memory.slot, self.memory.version):
            self.memory.trial = {}
            self.memory.save()

    def fail(self, version: str, asked_at: Any, why: str) -> None:
        LOG.warning("%s: %s", version, why)
        self.memory.failed = {"version": version, "asked_at": asked_at, "why": why}
        self.memory.save()

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
        self.memory.trial["stage"] = stage
        self.memory.save()

    def run(self, line: str, slot: str, version: str) -> bool:
        return command(line, OTARU_IMAGE=str(self.file(slot)), OTARU_VERSION=version)

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
