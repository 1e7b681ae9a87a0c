"""A PostgreSQL of its own for the run, from Debian's package; it ends with it."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from . import PATIENCE_S
from .program import Program, needed, run

_DEBIAN_ROOT = Path("/usr/lib/postgresql")
_OLDEST_MAJOR = 15
_SUPERUSER = "otaru"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # Only a power cut of the machine could tell the difference.
    "fsync": "off",
    "synchronous_commit": "off",
}


def _bin() -> Path:
    folder = os.environ.get("OTARU_POSTGRES_BIN")
    if folder:
        return needed(folder)
    majors = [int(path.name) for path in _DEBIAN_ROOT.glob("*") if path.name.isdigit()]
    usable = [major for major in majors if major >= _OLDEST_MAJOR]
    if not usable:
        raise AssertionError(
            f"PostgreSQL {_OLDEST_MAJOR} or newer is not in {_DEBIAN_ROOT}: run `make setup`"
        )
    return needed(_DEBIAN_ROOT / str(max(usable)) / "bin")


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Postgres:
    """A running cluster."""

    def __init__(self) -> None:
        self._bin = _bin()
        # PostgreSQL refuses to run as root; Debian's package made this account for it.
        self._user = "postgres" if os.getuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="otaru-conformance-postgres-"))
        self._folder.chmod(0o711)
        self._password = secrets.token_hex(16)
        self._port = free_port()
        self._databases = 0
        data = self._make_cluster()
        options: list[str] = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [self._bin / "postgres", "-D", str(data), "-p", str(self._port), *options]
        self._program = Program(command, self._folder / "log", user=self._user)
        self._wait()

    def fresh_database(self) -> str:
        """The URL of an empty database."""
        self._databases += 1
        name = f"conformance_{self._databases}"
        self._psql(f"CREATE DATABASE {name} TEMPLATE template0")
        return f"postgres://{_SUPERUSER}:{self._password}@127.0.0.1:{self._port}/{name}"

    def stop(self) -> None:
        """Ends it and removes what it stored."""
        self._program.end(signal.SIGQUIT)
        shutil.rmtree(self._folder)

    def _make_cluster(self) -> Path:
        data = self._folder / "data"
        data.mkdir(mode=0o700)
        password_file = self._folder / "password"
        password_file.write_text(self._password)
        if self._user:
            shutil.chown(data, self._user)
            shutil.chown(password_file, self._user)
        password_file.chmod(0o600)
        how = [
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        ]
        named = ["--username", _SUPERUSER, "--pwfile", str(password_file)]
        run([self._bin / "initdb", *how, *named, data], user=self._user)
        password_file.unlink()
        return data

    def _psql(self, statement: str) -> None:
        environment = {"PGPASSWORD": self._password, "PGCONNECT_TIMEOUT": "5"}
        where = ["--host=127.0.0.1", f"--port={self._port}", f"--username={_SUPERUSER}", "--dbname=postgres"]
        run([self._bin / "psql", "--no-psqlrc", "--quiet", *where, "--command", statement], env=environment)

    def _wait(self) -> None:
        ask = [str(self._bin / "pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={self._port}"]
        limit = time.monotonic() + PATIENCE_S
        while subprocess.run(ask, check=False).returncode != 0:
            self._program.check_alive()
            assert time.monotonic() < limit, "PostgreSQL did not start"
            time.sleep(0.02)
