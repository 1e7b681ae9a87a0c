"""Child processes that never outlive the tests."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# From util-linux. Python's own way, code between fork and exec, is unsafe with threads about.
_DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL", "--"]


class Program:
    """One running program, with its output in a file."""

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        self._name = str(command[0])
        self.log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                [*_DIE_WITH_PARENT, *(str(part) for part in command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=env,
                user=user,
                group=user,
                extra_groups=[] if user else None,
                cwd="/",
            )

    def check_alive(self) -> None:
        """Fails with the program's last words if it has ended."""
        status = self._child.poll()
        if status is not None:
            tail = self.log.read_bytes()[-4000:].decode(errors="replace")
            raise AssertionError(f"{self._name} ended with {status}:\n{tail}")

    def wait(self, patience_s: float = 30.0) -> int:
        """Waits until it ends by itself; answers the exit status."""
        return self._child.wait(patience_s)

    def end(self, how: signal.Signals, patience_s: float = 30.0) -> int:
        """Sends the signal and waits; answers the exit status."""
        self._child.send_signal(how)
        try:
            return self._child.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
            raise


def run(command: Sequence[str | Path], env: Mapping[str, str] | None = None, user: str | None = None) -> str:
    """Runs a program to its end; answers what it printed, fails with what it complained of."""
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=env,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd="/",
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def needed(path: str | Path) -> Path:
    """The path of a program or file without which there is nothing to test."""
    found = Path(path)
    if not found.exists():
        raise AssertionError(f"{path} is missing: run `make setup` and `make conformance`")
    return found


def plain_environment() -> dict[str, str]:
    """The environment without settings of the server or of its command line."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OTARU")}
