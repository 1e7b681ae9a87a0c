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

LOG = logging.getLogger("otaru_plain")
COMMAND_S = 600


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

    def take(self, image: Path, version: str, asked_at: Any) -> None:
        """Puts a checked image into the other slot and tries it."""
        put(image, self.file(self.other))
        self.memory.trial = {"version": version, "asked_at": asked_at, "stage": "armed"}
        self.memory.save()
        self.go_on()

    def go_on(self) -> None:
        """Brings a trial to its end from whichever step a restart left it at."""
        trial = self.memory.trial
        if not trial:
            # Power went on the way back: what failed still runs.
            if self.current() not in (None, self.file(self.memory.slot).name):
                self.start(self.memory.slot, self.memory.version)
            return
        if trial["stage"] == "testing":
            self.go_back("it ended in its self-test")
            return
        if self.current() != self.file(self.other).name:
            self.start(self.other, trial["version"])
        self.reach("testing")
        if self.run(self.self_test, self.other, trial["version"]):
            self.memory.slot, self.memory.version = self.other, trial["version"]
            self.memory.trial, self.memory.failed = {}, {}
            self.memory.save()
            LOG.info("confirmed %s", self.memory.version)
        elif self.stop.is_set():
            # Whoever stops this program has stopped the test as well: it says nothing.
            self.reach("armed")
        else:
            self.go_back("it failed its self-test")

    def go_back(self, why: str) -> None:
        trial, self.memory.trial = self.memory.trial, {}
        self.fail(trial["version"], trial["asked_at"], why)
        self.start(self.memory.slot, self.memory.version)

    def fail(self, version: str, asked_at: Any, why: str) -> None:
        LOG.warning("%s: %s", version, why)
        self.memory.failed = {"version": version, "asked_at": asked_at, "why": why}
        self.memory.save()

    def start(self, slot: str, version: str) -> None:
        """Restarts into a slot."""
        link = self.folder / "current.new"
        link.unlink(missing_ok=True)
        link.symlink_to(self.file(slot).name)
        put(link, self.folder / "current")
        self.run(self.restart, slot, version)

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
