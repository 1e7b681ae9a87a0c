#!/usr/bin/env python3
"""A device of Otaru without its agent: it knows the topics of its shadow and one URL.

For a Linux gateway, and to be read as the pattern for any firmware. It trusts the server: the SHA-256 that
it checks is the server's own word. README.md says what that means, and how to check the signature as well.
"""

import argparse
import logging
import os
import signal
import tomllib
from pathlib import Path
from typing import Any

from download import AgainError, Download, FailedError
from shadow import Shadow, back_off
from slots import LOG, Memory, Slots, command, status, write


class PlainClient:
    """Follows one wish after the other."""

    def __init__(self, identity: Path, options: argparse.Namespace) -> None:
        device = tomllib.loads((identity / "device.toml").read_text())
        self.state = Path(options.state).resolve()
        self.state.mkdir(parents=True, exist_ok=True)
        self.memory = Memory.of(self.state / "memory.json", options.version)
        self.check, self.apply_command = options.check, options.apply
        self.shadow = Shadow(identity, device, self.reported)
        self.stop = self.shadow.stop
        self.slots = Slots(self.memory, options.restart, options.self_test, self.stop)
        self.download = Download(identity, device, self.memory)

    def run(self) -> None:
        self.shadow.network.start()
        tries = 0
        # At once, before any news: a trial may wait for its end.
        wait: float | None = 0
        while not self.stop.is_set():
            self.shadow.news.wait(wait)
            self.shadow.news.clear()
            try:
                self.follow(*self.shadow.wish)
                tries, wait = 0, None
            except (AgainError, OSError) as error:  # Those of requests are OSErrors.
                wait = back_off(tries)
                tries += 1
                LOG.warning("again in %.1f s: %s", wait, error)
        self.shadow.leave()

    def end(self, *_signal: Any) -> None:
        self.stop.set()
        self.shadow.news.set()

    def reported(self) -> dict[str, Any]:
        """Only what runs and is confirmed, only what was applied; nothing until a trial is over."""
        if self.memory.trial:
            return {}
        config = self.memory.settings | {"firmware_version": self.memory.version}
        # Nothing of the protocol: for whoever reads the shadow and wonders.
        failed = {name: value for name, value in self.memory.failed.items() if name != "asked_at"}
        return {"config": config, "failed_update": failed or None}

    def follow(self, wish: dict[str, Any], asked_at: Any) -> None:
        """Settings that fail do not hold up a firmware, which may be their cure."""
        self.end_trial()
        settings = merge(self.memory.settings, {k: v for k, v in wish.items() if k != "firmware_version"})
        has_settings = settings == self.memory.settings or self.apply(settings)
        if "firmware_version" in wish:
            self.update(wish["firmware_version"], asked_at)
        if not has_settings:
            raise AgainError("the settings were not applied")

    def apply(self, settings: dict[str, Any]) -> bool:
        write(self.state / "settings.json", settings)
        if not command(self.apply_command, OTARU_SETTINGS=str(self.state / "settings.json")):
            return False
        self.memory.keep(settings=settings)
        self.shadow.report()
        return True

    def update(self, version: Any, asked_at: Any) -> None:
        failed = self.memory.failed
        has_failed = failed and (failed["version"], failed["asked_at"]) == (version, asked_at)
        if version == self.memory.version or has_failed or self.stop.is_set():
            return
        try:
            self.slots.take(self.image(version), version, asked_at)
        except FailedError as error:
            self.slots.fail(version, asked_at, str(error))
            self.shadow.report()
        self.end_trial()

    def end_trial(self) -> None:
        """Comes first: as long as a restart is owed, nobody can say what runs."""
        if not self.memory.trial:
            return
        self.slots.go_on()
        if self.memory.trial:
            raise AgainError("the trial is not over")
        self.shadow.report()

    def image(self, version: Any) -> Path:
        """The image, whole and checked, for a wish that still stands."""
        part = self.download.bring(version, lambda: self.shadow.wishes(version) and not self.stop.is_set())
        found = status(self.check, OTARU_IMAGE=str(part), OTARU_VERSION=version)
        if found == os.EX_TEMPFAIL:
            raise AgainError("--check cannot tell yet")
        if found != 0:
            raise FailedError("it was refused by --check")
        if not self.shadow.still_wishes(version):
            raise AgainError("the wish does not stand, or the broker is away")
        return part


def merge(settings: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any]:
    merged = dict(settings)
    for name, value in delta.items():
        old = settings.get(name)
        merged[name] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("identity", type=Path, help="the folder that `otaru device add` wrote")
    parser.add_argument("--state", required=True, help="folder for slots, settings and memory")
    parser.add_argument("--version", required=True, help="what runs at the very first start")
    commands = {
        "--check": "ends with 0 if the file $OTARU_IMAGE may be installed as $OTARU_VERSION, with 75 to be asked again",
        "--restart": "ends with 0 once the file $OTARU_IMAGE, which is $OTARU_VERSION, was started; else asked again",
        "--self-test": "ends with 0 if $OTARU_VERSION runs and is well",
        "--apply": "ends with 0 if the product took the settings in the file $OTARU_SETTINGS",
    }
    for name, what in commands.items():
        parser.add_argument(name, default="true", metavar="COMMAND", help=what)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    client = PlainClient(options.identity, options)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, client.end)
    client.run()


if __name__ == "__main__":
    main()
