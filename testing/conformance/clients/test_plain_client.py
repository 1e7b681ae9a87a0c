"""`examples/plain-client`: whole updates of a device that knows only the shadow's topics and one URL."""

import json
import os
import signal
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import MQTTMessage

from harness import PATIENCE_S
from harness.plain_client import EXAMPLE, SIZE_BYTES, Gateway, Publisher
from harness.server import Server


@pytest.fixture(scope="module")
def publisher(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    return Publisher(server, tmp_path_factory.mktemp("publisher"))


@pytest.fixture
def gateway(server: Server, publisher: Publisher, tmp_path: Path) -> Iterator[Gateway]:
    gateway = Gateway(server, tmp_path)
    yield gateway
    gateway.close()


def runs(gateway: Gateway, image: bytes) -> bool:
    return (gateway.state / "running").read_bytes() == image and (
        gateway.state / "current"
    ).read_bytes() == image


def check_with(gateway: Gateway, root: Path) -> list[str]:
    return ["--check", f"OTARU={os.environ['OTARU_BINARY']} {EXAMPLE}/verify.sh {gateway.identity} {root}"]


def test_an_update_that_the_publisher_signed_is_confirmed(gateway: Gateway, publisher: Publisher) -> None:
    gateway.power_on(*check_with(gateway, publisher.root))
    gateway.until_reported(firmware_version="1.0.4")
    gateway.ask_for("1.0.5")
    gateway.until(lambda: gateway.update() == ("confirmed", "confirmed"))
    assert gateway.started() == ["1.0.5"]
    assert runs(gateway, publisher.images["1.0.5"])
    assert gateway.shadow() == {
        "desired": {"config": {"firmware_version": "1.0.5"}},
        "reported": {"config": {"firmware_version": "1.0.5"}},
    }
    assert gateway.power_off() == 0


def test_an_image_that_nobody_trusted_signed_is_not_started(
    server: Server, gateway: Gateway, tmp_path: Path
) -> None:
    server.command("key", "new", "--out", tmp_path / "others", "--no-passphrase")
    (gateway.identity / "root.pub").write_bytes((tmp_path / "others" / "root.pub").read_bytes())
    gateway.power_on(*check_with(gateway, tmp_path / "others" / "root.cbor"))
    gateway.until_reported(firmware_version="1.0.4")
    gateway.ask_for("1.0.5")
    gateway.until(lambda: gateway.reported().get("failed_update") is not None)
    assert gateway.reported()["failed_update"] == {"version": "1.0.5", "why": "it was refused by --check"}
    assert gateway.started() == []


def test_a_server_cannot_pass_one_release_off_as_another(
    gateway: Gateway, publisher: Publisher, tmp_path: Path
) -> None:
    curl = tmp_path / "bin" / "curl"
    curl.parent.mkdir()
    # In place of the server: it gives out the manifest of 1.0.4, whatever it is asked for.
    manifest = publisher.file("1.0.4.manifest")
    curl.write_text(f'#!/bin/sh\nwhile [ "$1" != --output ]; do shift; done\ncp {manifest} "$2"; printf 200\n')
    curl.chmod(0o755)
    image = tmp_path / "download"
    image.write_bytes(publisher.images["1.0.4"])

    def verdict(version: str, otaru: str = os.environ["OTARU_BINARY"]) -> int:
        about = {"OTARU": otaru, "OTARU_IMAGE": str(image), "OTARU_VERSION": version}
        path = {"PATH": f"{curl.parent}:{os.environ['PATH']}"}
        command = [EXAMPLE / "verify.sh", gateway.identity, publisher.root]
        return subprocess.run(command, env=os.environ | about | path, check=False).returncode

    assert verdict("1.0.4") == 0
    assert verdict("1.0.4", "/nowhere/otaru") == os.EX_TEMPFAIL, "nobody looked at the image"
    assert verdict("1.0.5") == 1
    image.write_bytes(publisher.images["1.0.5"])
    assert verdict("1.0.4") == 1


@pytest.mark.parametrize("how", ["power", "link"])
def test_a_download_goes_on_where_it_was_cut(gateway: Gateway, publisher: Publisher, how: str) -> None:
    gateway.power_on()
    gateway.until_reported(firmware_version="1.0.4")
    gateway.link.stall_after(SIZE_BYTES // 2)
    gateway.ask_for("1.0.5")
    assert gateway.link.stalled.wait(PATIENCE_S)
    part = gateway.state / "download.part"
    # The link may stall before the client has opened its file.
    gateway.until(lambda: part.exists() and part.stat().st_size > SIZE_BYTES // 4)
    gateway.until(lambda: gateway.update() == ("downloading", None))
    before = gateway.link.received
    if how == "power":
        gateway.power_off(signal.SIGKILL)
        gateway.link.cut()
        gateway.power_on()
    else:
        gateway.link.cut()
    gateway.until(lambda: gateway.update() == ("confirmed", "confirmed"))
    assert gateway.link.connections == 2
    assert gateway.link.received - before < SIZE_BYTES * 7 // 8, "it began from the start"
    assert runs(gateway, publisher.images["1.0.5"])


def test_a_firmware_that_fails_its_self_test_is_left_and_not_tried_again(
    gateway: Gateway, publisher: Publisher
) -> None:
    (gateway.state / "slot-a.bin").write_bytes(publisher.images["1.0.4"])
    gateway.is_bad(True)
    gateway.power_on()
    gateway.until_reported(firmware_version="1.0.4")
    gateway.ask_for("1.0.5")
    gateway.until(lambda: gateway.reported().get("failed_update") is not None)
    assert gateway.reported() == {
        "config": {"firmware_version": "1.0.4"},
        "failed_update": {"version": "1.0.5", "why": "it failed its self-test"},
    }
    assert gateway.started() == ["1.0.5", "1.0.4"]
    assert runs(gateway, publisher.images["1.0.4"])
    # Of a plain client the server knows only what it runs: somebody or time ends the update.
    assert gateway.update() == ("downloading", None)

    # The wish is still there and heard again. A setting after it shows that it was heard and passed over.
    gateway.is_bad(False)
    assert gateway.power_off() == 0
    gateway.power_on()
    gateway.set({"config": {"phrase_type": "poetic"}})
    gateway.until_reported(phrase_type="poetic")
    assert gateway.power_off() == 0
    assert (gateway.started(), gateway.link.connections) == (["1.0.5", "1.0.4"], 1)

    # Asked for anew, it gets one more try.
    gateway.take_back()
    assert gateway.update() == ("downloading", "cancelled")
    gateway.ask_for("1.0.5")
    gateway.power_on()
    gateway.until(lambda: gateway.update() == ("confirmed", "confirmed"))
    assert "failed_update" not in gateway.reported()
    assert gateway.started()[2:] == ["1.0.5"]


def dies_in_its_self_test(gateway: Gateway, publisher: Publisher) -> None:
    (gateway.state / "slot-a.bin").write_bytes(publisher.images["1.0.4"])
    gateway.power_on("--self-test", "kill -KILL $PPID")
    gateway.until_reported(firmware_version="1.0.4")
    gateway.ask_for("1.0.5")
    assert gateway.until_off() == -signal.SIGKILL


def test_a_power_cut_in_the_self_test_goes_back(gateway: Gateway, publisher: Publisher) -> None:
    dies_in_its_self_test(gateway, publisher)
    gateway.power_on()
    gateway.until(lambda: gateway.reported().get("failed_update") is not None)
    assert gateway.reported()["config"] == {"firmware_version": "1.0.4"}
    assert gateway.started() == ["1.0.5", "1.0.4"]
    assert runs(gateway, publisher.images["1.0.4"])


def test_a_power_cut_on_the_way_back_goes_back(gateway: Gateway, publisher: Publisher) -> None:
    dies_in_its_self_test(gateway, publisher)
    # It was decided and written down, and what failed is still the one that starts.
    memory = json.loads((gateway.state / "memory.json").read_text())
    failed = {"version": "1.0.5", "asked_at": memory["trial"]["asked_at"], "why": "it failed its self-test"}
    (gateway.state / "memory.json").write_text(json.dumps(memory | {"trial": {}, "failed": failed}))
    gateway.power_on()
    gateway.until(lambda: gateway.reported().get("failed_update") is not None)
    assert gateway.started() == ["1.0.5", "1.0.4"]
    assert runs(gateway, publisher.images["1.0.4"])


def test_a_check_that_cannot_tell_is_asked_again(gateway: Gateway, publisher: Publisher) -> None:
    asked = gateway.state.parent / "asked"
    gateway.power_on("--check", f"test -e {asked} || {{ touch {asked}; exit 75; }}")
    gateway.until_reported(firmware_version="1.0.4")
    gateway.ask_for("1.0.5")
    gateway.until_said("--check cannot tell yet")
    gateway.until(lambda: gateway.update() == ("confirmed", "confirmed"))
    assert runs(gateway, publisher.images["1.0.5"])


def test_a_stop_in_the_self_test_judges_nothing(gateway: Gateway, publisher: Publisher) -> None:
    gateway.power_on("--self-test", "kill -TERM $PPID; exit 1")
    gateway.until_reported(firmware_version="1.0.4")
    gateway.ask_for("1.0.5")
    assert gateway.until_off() == 0
    gateway.power_on()
    gateway.until(lambda: gateway.update() == ("confirmed", "confirmed"))
    assert gateway.started() == ["1.0.5"]
    assert runs(gateway, publisher.images["1.0.5"])


def test_a_wish_while_it_is_off_is_found_at_the_next_connect(gateway: Gateway, publisher: Publisher) -> None:
    gateway.power_on()
    gateway.until_reported(firmware_version="1.0.4")
    assert gateway.power_off() == 0
    gateway.ask_for("1.0.5")
    assert gateway.update() == ("requested", None)
    gateway.power_on()
    gateway.until(lambda: gateway.update() == ("confirmed", "confirmed"))
    assert runs(gateway, publisher.images["1.0.5"])


def test_a_wish_that_was_taken_back_is_not_installed(gateway: Gateway) -> None:
    gateway.power_on()
    gateway.until_reported(firmware_version="1.0.4")
    gateway.link.stall_after(SIZE_BYTES // 2)
    gateway.ask_for("1.0.5")
    assert gateway.link.stalled.wait(PATIENCE_S)
    gateway.take_back()
    gateway.link.flow()
    gateway.until_said("the wish does not stand")
    assert gateway.power_off() == 0
    assert gateway.started() == []
    assert gateway.update() == ("downloading", "cancelled")


def test_an_older_delta_and_a_repeated_one_are_dropped(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(EXAMPLE)
    from shadow import Shadow

    device = tomllib.loads((gateway.identity / "device.toml").read_text())
    shadow = Shadow(gateway.identity, device, dict)

    def hear(kind: str, version: int, wish: str) -> Any:
        message = MQTTMessage(topic=f"$aws/things/{gateway.thing}/shadow/{kind}".encode())
        state: Any = {"config": {"firmware_version": wish}}
        stamps: Any = {"config": {"firmware_version": {"timestamp": version}}}
        if kind == "get/accepted":
            state, stamps = {"delta": state}, {"desired": stamps}
        document = {"state": state, "metadata": stamps, "version": version}
        message.payload = json.dumps(document).encode()
        shadow.heard(shadow.mqtt, None, message)
        return shadow.wish[0]["firmware_version"]

    assert hear("get/accepted", 5, "five") == "five"
    assert hear("update/delta", 7, "seven") == "seven"
    assert hear("update/delta", 6, "six") == "seven"
    assert hear("update/delta", 7, "repeated") == "seven"
    assert hear("get/accepted", 6, "six") == "seven"
    assert hear("get/accepted", 7, "read anew") == "read anew"
    assert shadow.wish[1] == {"timestamp": 7}
    hear("delete/accepted", 8, "nothing")
    assert hear("update/delta", 1, "begun again") == "begun again"


def test_settings_arrive_and_are_reported_once_they_are_applied(gateway: Gateway) -> None:
    gateway.is_bad(True)
    gateway.power_on()
    gateway.until_reported(firmware_version="1.0.4")
    gateway.set({"config": {"phrase_type": "poetic", "light": {"night": 3}}})
    gateway.until_said("the settings were not applied")
    assert gateway.reported()["config"] == {"firmware_version": "1.0.4"}

    gateway.is_bad(False)
    gateway.until_reported(phrase_type="poetic", light={"night": 3})
    gateway.set({"config": {"light": {"day": 9}}})
    gateway.until_reported(phrase_type="poetic", light={"night": 3, "day": 9})
    applied = json.loads((gateway.state / "applied").read_text())
    assert applied == {"phrase_type": "poetic", "light": {"night": 3, "day": 9}}
    assert "delta" not in gateway.shadow()


def test_settings_that_fail_do_not_hold_up_a_firmware(gateway: Gateway) -> None:
    gateway.power_on("--apply", "false")
    gateway.until_reported(firmware_version="1.0.4")
    gateway.set({"config": {"phrase_type": "poetic"}})
    gateway.until_said("the settings were not applied")
    gateway.ask_for("1.0.5")
    gateway.until(lambda: gateway.update() == ("confirmed", "confirmed"))
    assert gateway.reported()["config"] == {"firmware_version": "1.0.5"}
