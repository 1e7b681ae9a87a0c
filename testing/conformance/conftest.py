"""Black-box conformance of the Device Shadow service, asked by clients that know nothing of it.

Every test runs against a server on SQLite and one on PostgreSQL; what concerns all ways to ask runs
over MQTT 3.1.1, MQTT 5 and HTTP. `assertions` has the numbered checklist, `rules` what goes beyond it,
`clients` the vendors' own clients, `abuse` what nobody should send.
"""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.postgres import Postgres
from harness.room import Room
from harness.server import Server
from harness.shadow import Shadow
from harness.summary import Tally

WAYS = ["mqtt3", "mqtt5", "http"]

TALLY = Tally()

# Whatever a person has set for the cloud is not for here.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    cluster = Postgres()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def fresh_database(request: pytest.FixtureRequest) -> Callable[[], str | None]:
    """Makes a database for a server; none is SQLite in the server's folder."""
    if request.param == "sqlite":
        return lambda: None
    cluster: Postgres = request.getfixturevalue("postgres")
    return cluster.fresh_database


@pytest.fixture(scope="session")
def server(
    fresh_database: Callable[[], str | None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One server for all tests on a database: they use things of their own."""
    running = Server(tmp_path_factory.mktemp("server"), fresh_database())
    yield running
    assert running.end(signal.SIGTERM) == 0
    assert not [s for s in [running.administrator, *running.secrets] if s in running.log]


@pytest.fixture(params=WAYS)
def via(request: pytest.FixtureRequest) -> str:
    way: str = request.param
    return way


@pytest.fixture
def room(server: Server, via: str) -> Iterator[Room]:
    room = Room(server, via)
    yield room
    room.close()


@pytest.fixture
def shadow(room: Room) -> Shadow:
    """The classic shadow of a fresh thing."""
    return room.shadow()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        TALLY.add(report.nodeid, report.outcome)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for line in TALLY.lines():
        terminalreporter.write_line(line)
