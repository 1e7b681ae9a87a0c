"""`otaru serve` with a product, devices and ways in."""

import json
import os
import signal
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from . import PATIENCE_S
from .program import Program, needed, plain_environment, run

_LISTENERS = ["http", "https", "device-https", "mqtts", "mqtt"]
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Identity:
    """The folder that `otaru device add` wrote."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "cert.pem"

    @property
    def key(self) -> Path:
        return self.folder / "key.pem"

    @property
    def authority(self) -> Path:
        return self.folder / "ca.pem"


class Server:
    """A server process that can be ended and started again on the same data."""

    def __init__(
        self, folder: Path, database_url: str | None, log: str | None = None, **settings: str
    ) -> None:
        self.folder = folder
        self._log = {"OTARU_LOG": log} if log else {}
        self._binary = needed(os.environ["OTARU_BINARY"])
        self._data = folder / "server"
        self._database_url = database_url
        self._settings = {f"OTARU__{name}": value for name, value in settings.items()}
        self._devices: dict[str, Identity] = {}
        self.secrets: list[str] = []
        self._program: Program | None = None
        self.start()

    def start(self) -> None:
        """Starts it on free ports and waits until it says that it is ready."""
        command: list[str | Path] = [self._binary, "serve", "--data", self._data]
        for listener in _LISTENERS:
            command += [f"--listen-{listener}", "127.0.0.1:0"]
        env = plain_environment() | self._settings | self._log
        if self._database_url:
            env["OTARU__DATABASE__URL"] = self._database_url
        (self._data / "listen.json").unlink(missing_ok=True)
        self._program = Program(command, self.folder / "server.log", env=env)
        self._wait()

    def end(self, how: signal.Signals) -> int:
        """Ends it with a signal; answers the exit status."""
        assert self._program, "the server does not run"
        program, self._program = self._program, None
        return program.end(how)

    @property
    def administrator(self) -> str:
        """The token of the first administrator."""
        return (self._data / "admin.token").read_text().strip()

    @property
    def log(self) -> str:
        """What it has printed."""
        return (self.folder / "server.log").read_text(errors="replace")

    def port(self, listener: str) -> int:
        """The port of a listener: http, https, device_https, mqtts or mqtt."""
        listening = json.loads((self._data / "listen.json").read_text())
        return int(str(listening[listener]).rpartition(":")[2])

    def command(self, *arguments: str | Path) -> str:
        """Runs an `otaru` command as the administrator."""
        env = plain_environment() | {
            "OTARU_SERVER": f"http://127.0.0.1:{self.port('http')}",
            "OTARU_TOKEN_FILE": str(self._data / "admin.token"),
        }
        return run([self._binary, *arguments], env=env)

    def device(self, thing: str) -> Identity:
        """The identity of a registered device; registers it when asked first."""
        if thing not in self._devices:
            folder = self.folder / "devices" / thing
            self.command("device", "add", thing, "--product", self._product, "--out", folder)
            self._devices[thing] = Identity(folder)
        return self._devices[thing]

    @cached_property
    def access_key(self) -> dict[str, str]:
        """An access key for the data plane, good for every thing."""
        return self.new_access_key()

    def new_access_key(self, *limits: str) -> dict[str, str]:
        made = self.command("token", "create", "--aws", "--role", "operator", "-o", "json", *limits)
        key: dict[str, str] = json.loads(made)
        self.secrets.append(key["secret_access_key"])
        return key

    @cached_property
    def _product(self) -> str:
        keys = self.folder / "keys"
        self.command("key", "new", "--out", keys, "--no-passphrase")
        chip = ["--chip", "esp32c3", "--flash", "4M", "--root", str(keys / "root.cbor")]
        self.command("product", "create", "clock", *chip)
        return "clock"

    def _wait(self) -> None:
        limit = time.monotonic() + PATIENCE_S
        while not self._is_ready():
            assert self._program
            self._program.check_alive()
            assert time.monotonic() < limit, "the server was not ready in time"
            time.sleep(0.01)

    def _is_ready(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self.port('http')}/readyz"
            with _NO_PROXY.open(url, timeout=PATIENCE_S) as answer:
                return bool(answer.status == 200)
        except (OSError, ValueError, urllib.error.URLError):
            return False
