"""`mosquitto_pub` and `mosquitto_sub`, as somebody types them."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from harness import PATIENCE_S
from harness.program import needed
from harness.room import Room
from harness.server import Server
from harness.shadow import ShadowId, fresh_thing

PUB, SUB, RR = "/usr/bin/mosquitto_pub", "/usr/bin/mosquitto_sub", "/usr/bin/mosquitto_rr"

WISH = '{"state":{"desired":{"config":{"phrase_type":"poetic"}}}}'


@pytest.fixture(params=["mqttv311", "mqttv5"])
def protocol(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=["backend", "device"])
def who(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


class Mosquitto:
    """The commands, as one backend or one device."""

    def __init__(self, server: Server, protocol: str, who: str) -> None:
        self.shadow = ShadowId(fresh_thing())
        self._common = ["-V", protocol]
        if who == "backend":
            self._common += ["-h", "127.0.0.1", "-p", str(server.port("mqtt"))]
        else:
            identity = server.device(self.shadow.thing)
            self._common += ["-h", "localhost", "-p", str(server.port("mqtts")), "-i", self.shadow.thing]
            self._common += ["--cafile", str(identity.authority)]
            self._common += ["--cert", str(identity.certificate), "--key", str(identity.key)]

    def publish(self, rest: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(needed(PUB)), *self._common, "-q", "1", "-t", self.shadow.topic(rest), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    def ask(self, rest: str, answer: str, *arguments: str) -> Any:
        """Request and answer in one command, for one client id has one connection."""
        topics = ["-t", self.shadow.topic(rest), "-e", self.shadow.topic(f"{rest}/{answer}")]
        command = [str(needed(RR)), *self._common, "-q", "1", "-W", str(int(PATIENCE_S)), *topics, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=2 * PATIENCE_S, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @contextmanager
    def subscribed(self, topic: str, count: int) -> Iterator["subprocess.Popen[str]"]:
        """`mosquitto_sub` that has its SUBACK, and ends after so many messages."""
        # Line by line, though it writes to a pipe.
        command = [
            "stdbuf",
            "-oL",
            str(needed(SUB)),
            *self._common,
            "-d",
            "-q",
            "1",
            "-C",
            str(count),
            "-t",
            topic,
        ]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert child.stdout
        try:
            while "SUBACK" not in (line := child.stdout.readline()):
                assert line, "mosquitto_sub ended before its SUBACK"
            yield child
        finally:
            child.kill()
            child.wait()
            child.stdout.close()


def test_get_update_and_delete(server: Server, protocol: str, who: str) -> None:
    mosquitto = Mosquitto(server, protocol, who)
    assert mosquitto.ask("get", "rejected", "-n")["code"] == 404
    accepted = mosquitto.ask("update", "accepted", "-m", WISH)
    assert (accepted["version"], accepted["state"]) == (1, json.loads(WISH)["state"])
    document = mosquitto.ask("get", "accepted", "-n")
    assert document["state"]["delta"] == {"config": {"phrase_type": "poetic"}}
    assert mosquitto.ask("delete", "accepted", "-n")["version"] == 1
    assert mosquitto.ask("delete", "rejected", "-n")["code"] == 404


def test_a_subscriber_hears_the_delta(server: Server, protocol: str) -> None:
    mosquitto = Mosquitto(server, protocol, "backend")
    with mosquitto.subscribed(mosquitto.shadow.topic("update/delta"), 1) as subscriber:
        assert mosquitto.publish("update", "-m", WISH).returncode == 0
        output, _ = subscriber.communicate(timeout=PATIENCE_S)
    delta = json.loads(next(line for line in output.splitlines() if line.startswith("{")))
    assert delta["state"] == {"config": {"phrase_type": "poetic"}}


@pytest.mark.parametrize("via", ["mqtt3"], indirect=True)
def test_a_retained_request_is_never_stored(room: Room, protocol: str) -> None:
    mosquitto = Mosquitto(room.server, protocol, "backend")
    mosquitto.publish("update", "-r", "-m", WISH)
    shadow = room.shadow(thing=mosquitto.shadow.thing)
    # In MQTT 5 it hears that nothing is retained, and sends it as an ordinary request: let that be done.
    assert shadow.ask("get").accepted is (protocol == "mqttv5")
    assert room.watch(shadow).all() == []
