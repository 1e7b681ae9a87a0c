"""`examples/plain-client`, run as on a gateway: as a program of its own, with a product around it."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import PATIENCE_S
from .link import Link
from .program import Program, needed
from .server import Server
from .shadow import fresh_thing

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "plain-client"
PRODUCT = "gateway"
SIZE_BYTES = 1_500_000


class Publisher:
    """Keys, a product of plain clients, and two releases."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self.root = folder / "keys" / "root.cbor"
        server.command("key", "new", "--out", folder / "keys", "--no-passphrase")
        what: list[str | Path] = ["--chip", "linux", "--images", "raw", "--flash", "4M", "--root", self.root]
        server.command("product", "create", PRODUCT, *what)
        self.images = {version: self._publish(version) for version in ("1.0.4", "1.0.5")}

    def file(self, name: str) -> Path:
        """An image or a manifest, `VERSION.bin` or `VERSION.manifest`."""
        return self._folder / name

    def _publish(self, version: str) -> bytes:
        image = os.urandom(SIZE_BYTES)
        file = self.file(f"{version}.bin")
        file.write_bytes(image)
        how: list[str | Path] = ["--save-manifest", self.file(f"{version}.manifest")]
        how += ["--key", self._folder / "keys" / "release.key", "--raw", "linux"]
        self._server.command("release", "publish", file, "--product", PRODUCT, "--version", version, *how)
        return image


class Gateway:
    """One device with the example on it; what it starts, tests and applies leaves marks in its folder."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.thing = fresh_thing()
        self._server = server
        self.identity, self.state, self.log = folder / "identity", folder / "state", folder / "client.log"
        server.command("device", "add", self.thing, "--product", PRODUCT, "--out", self.identity)
        self.link = Link(server.port("device_https"))
        settings = self.identity / "device.toml"
        direct = f":{server.port('device_https')}"
        assert direct in settings.read_text()
        settings.write_text(settings.read_text().replace(direct, f":{self.link.port}"))
        self.state.mkdir()
        self._program: Program | None = None

    def power_on(self, *options: str) -> None:
        started, bad = self.state / "started", self.state / "bad"
        commands = {
            "--restart": f'echo "$OTARU_VERSION" >>{started}; cp "$OTARU_IMAGE" {self.state}/running || true',
            "--self-test": f'test ! -e {bad} && test "$(tail -n 1 {started})" = "$OTARU_VERSION"',
            "--apply": f'test ! -e {bad} && cp "$OTARU_SETTINGS" {self.state}/applied',
        }
        line = [part for pair in commands.items() for part in pair]
        script = needed(EXAMPLE / "otaru_plain.py")
        where: list[str | Path] = [self.identity, "--state", self.state, "--version", "1.0.4"]
        self._program = Program([sys.executable, script, *where, *line, *options], self.log)

    def power_off(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self._program, "it is off"
        program, self._program = self._program, None
        return program.end(how)

    def until_off(self) -> int:
        """Waits until the client ends by itself."""
        assert self._program, "it is off"
        program, self._program = self._program, None
        return program.wait()

    def close(self) -> None:
        if self._program:
            self.power_off(signal.SIGKILL)
        self.link.close()

    def is_bad(self, bad: bool) -> None:
        """Whether what it is given to start or to apply fails."""
        (self.state / "bad").touch() if bad else (self.state / "bad").unlink()

    def started(self) -> list[str]:
        """The versions it restarted into."""
        file = self.state / "started"
        return file.read_text().split() if file.exists() else []

    def ask_for(self, version: str) -> None:
        self._server.command("update", "start", self.thing, version)

    def take_back(self) -> None:
        self._server.command("update", "cancel", self.thing)

    def set(self, desired: dict[str, Any]) -> None:
        self._server.command("shadow", "set", self.thing, json.dumps(desired))

    def update(self) -> tuple[str, str | None]:
        """Where its update is, and how it ended."""
        found = json.loads(self._server.command("update", "show", self.thing, "-o", "json"))
        return found["phase"], found["outcome"]

    def shadow(self) -> dict[str, Any]:
        try:
            document = json.loads(self._server.command("shadow", "get", self.thing, "-o", "json"))
        except AssertionError:
            return {}
        state: dict[str, Any] = document["state"]
        return state

    def reported(self) -> dict[str, Any]:
        reported: dict[str, Any] = self.shadow().get("reported", {})
        return reported

    def until_reported(self, **config: Any) -> None:
        """Waits until it reports these settings."""
        self.until(lambda: self.reported().get("config", {}).items() >= config.items())

    def until_said(self, text: str) -> None:
        self.until(lambda: text in self.log.read_text())

    def until(self, is_so: Callable[[], bool]) -> None:
        limit = time.monotonic() + PATIENCE_S
        while not is_so():
            if self._program:
                self._program.check_alive()
            said = self.log.read_text() if self.log.exists() else ""
            assert time.monotonic() < limit, f"not in time; the client said:\n{said}"
            time.sleep(0.05)
