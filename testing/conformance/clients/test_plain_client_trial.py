"""The trial of an image in `examples/plain-client`, with commands that fail, are stopped, or lose power."""

import argparse
import errno
import itertools
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client

from harness import PATIENCE_S
from harness.plain_client import EXAMPLE

OLD, NEW = "1.0.4", "1.0.5"
WISH = ({"firmware_version": NEW}, {"timestamp": 1})


@pytest.fixture(autouse=True)
def example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLE)


class PowerCut(BaseException):
    """Nothing in the client can catch it."""


class Product:
    """Stands for the commands of a product, and for the gateway under them."""

    def __init__(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import slots

        self.state, self.running, self.stop = state, OLD, threading.Event()
        self.ran: list[str] = []
        self.reported: list[dict[str, Any]] = []
        # A command fails as often as it is named here.
        self.fails: list[str] = []
        # Where the client is stopped: the command ends with it, or well before it.
        self.stopped_in: list[str] = []
        self.stopped_after: list[str] = []
        # After how many more steps power goes.
        self.steps_left: int | None = None
        # How many more files can be written before one finds the disk full.
        self.room_left: int | None = None
        replace = slots.put

        def put(new: Path, path: Path) -> None:
            self.step()
            if self.room_left is not None:
                self.room_left -= 1
                if self.room_left == -1:
                    raise OSError(errno.ENOSPC, "the disk is full")
            replace(new, path)

        monkeypatch.setattr(slots, "put", put)
        monkeypatch.setattr(slots, "command", self.command)
        monkeypatch.setattr(slots, "back_off", lambda _tries: 0)
        state.mkdir()
        (state / "slot-a.bin").write_text(OLD)

    def step(self) -> None:
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left < 0:
                raise PowerCut

    def command(self, line: str, **about: str) -> bool:
        """Power goes before it, or once it has ended and nobody knows yet."""
        self.step()
        ran = f"{line} {about['OTARU_VERSION']}"
        self.ran.append(ran)
        if ran in self.stopped_in:
            self.stop.set()
            return False
        if ran in self.fails:
            self.fails.remove(ran)
            return False
        if line == "restart":
            assert Path(about["OTARU_IMAGE"]).samefile(self.state / "current")
            self.running = (self.state / "current").read_text()
        if ran in self.stopped_after:
            self.stop.set()
        self.step()
        return True

    def power_on(self) -> Any:
        from slots import Memory, Slots

        self.stop.clear()
        return Slots(Memory.of(self.state / "memory.json", OLD), "restart", "self-test", self.stop)

    def try_new(self) -> Any:
        slots = self.power_on()
        self.take_new(slots)
        slots.go_on()
        return slots

    def take_new(self, slots: Any) -> None:
        image = self.state / "download.part"
        image.write_text(NEW)
        slots.take(image, NEW, 1)


@pytest.fixture
def product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Product:
    return Product(tmp_path / "state", monkeypatch)


def test_a_restart_that_fails_once_is_tried_again_before_the_self_test(product: Product) -> None:
    product.fails = [f"restart {NEW}"]
    memory = product.try_new().memory
    assert product.ran == [f"restart {NEW}", f"restart {NEW}", f"self-test {NEW}"]
    assert (memory.version, memory.slot, memory.trial, memory.failed) == (NEW, "b", {}, {})


def test_an_image_that_cannot_be_started_is_left_without_a_self_test(product: Product) -> None:
    product.fails = [f"restart {NEW}"] * 100
    memory = product.try_new().memory
    assert product.ran == [f"restart {NEW}"] * 3 + [f"restart {OLD}"]
    assert memory.failed == {"version": NEW, "asked_at": 1, "why": "it could not be started"}
    assert (memory.version, memory.trial, product.running) == (OLD, {}, OLD)


def test_a_stop_in_the_restart_judges_nothing(product: Product) -> None:
    product.stopped_in = [f"restart {NEW}"]
    assert product.try_new().memory.failed == {}
    product.stopped_in = []
    slots = product.power_on()
    slots.go_on()
    assert product.ran == [f"restart {NEW}", f"restart {NEW}", f"self-test {NEW}"]
    assert slots.memory.version == NEW


def test_a_restart_that_never_returns_is_left_as_well(product: Product) -> None:
    """As one that restarts the machine, into an image that does not come up."""
    product.stopped_in = [f"restart {NEW}"]
    product.try_new()
    for _ in range(3):
        memory = (slots := product.power_on()).memory
        slots.go_on()
    assert product.ran == [f"restart {NEW}"] * 3 + [f"restart {OLD}"]
    assert (memory.version, memory.trial, memory.failed["why"]) == (OLD, {}, "it could not be started")


def test_a_stop_after_the_restart_leaves_the_self_test_to_the_next_start(product: Product) -> None:
    product.stopped_after = [f"restart {NEW}"]
    assert product.try_new().memory.failed == {}
    slots = product.power_on()
    slots.go_on()
    assert product.ran == [f"restart {NEW}", f"self-test {NEW}"]
    assert slots.memory.version == NEW


@pytest.mark.parametrize("how", ["fails", "stopped_in"])
def test_the_way_back_is_owed_until_its_restart_ended_well(product: Product, how: str) -> None:
    product.fails = [f"self-test {NEW}"]
    getattr(product, how).append(f"restart {OLD}")
    product.try_new()
    assert (product.running, (product.state / "current").read_text()) == (NEW, OLD)

    product.fails, product.stopped_in = [], []
    slots = product.power_on()
    assert slots.memory.trial, "nothing says that a restart is owed"
    slots.go_on()
    assert product.ran == [f"restart {NEW}", f"self-test {NEW}", f"restart {OLD}", f"restart {OLD}"]
    assert (product.running, product.power_on().memory.trial) == (OLD, {})
    assert slots.memory.failed["why"] == "it failed its self-test"


@pytest.mark.parametrize("how", ["is well", "fails its self-test", "cannot be started"])
def test_wherever_power_goes_what_is_confirmed_is_what_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    failing = {"fails its self-test": [f"self-test {NEW}"], "cannot be started": [f"restart {NEW}"] * 9}
    for steps in itertools.count():
        with monkeypatch.context() as patch:
            product = Product(tmp_path / str(steps), patch)
            product.fails, product.steps_left = list(failing.get(how, [])), steps
            try:
                product.try_new()
            except PowerCut:
                product.steps_left = None
                slots = product.power_on()
                if slots.memory.trial:
                    slots.go_on()
            else:
                break
            memory = product.power_on().memory
            assert (memory.trial, memory.version) == ({}, product.running), f"{steps} steps: {product.ran}"
    assert steps > 8


@pytest.mark.parametrize("how", ["is well", "fails its self-test"])
def test_a_full_disk_judges_no_image_and_is_not_known_better_than_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    from slots import Memory

    end = NEW if how == "is well" else OLD
    for room in itertools.count():
        with monkeypatch.context() as patch:
            product = Product(tmp_path / str(room), patch)
            product.fails = [f"self-test {NEW}"] if how == "fails its self-test" else []
            slots, product.room_left = product.power_on(), room
            memory = slots.memory
            while memory.trial or (memory.version, memory.failed) == (OLD, {}):
                try:
                    if not memory.trial:
                        product.take_new(slots)
                    slots.go_on()
                except OSError:
                    assert memory == Memory.of(product.state / "memory.json", OLD)
        found = (memory.version, product.running, memory.failed == {})
        assert found == (end, end, end == NEW), f"{room} files: {product.ran}"
        if product.room_left >= 0:
            break
    assert room > 5


@pytest.mark.parametrize("stage", ["armed", "testing", None])
def test_what_an_older_version_wrote_is_brought_to_its_end(product: Product, stage: str | None) -> None:
    (product.state / "slot-b.bin").write_text(NEW)
    (product.state / "current").symlink_to("slot-b.bin")
    trial = {"version": NEW, "asked_at": 1, "stage": stage} if stage else {}
    memory = {"version": OLD, "slot": "a", "settings": {}, "download": {}, "trial": trial, "failed": {}}
    (product.state / "memory.json").write_text(json.dumps(memory))
    slots = product.power_on()
    slots.go_on()
    if stage == "armed":
        assert (product.ran, slots.memory.version) == ([f"restart {NEW}", f"self-test {NEW}"], NEW)
    else:
        assert (product.ran, slots.memory.version) == ([f"restart {OLD}"], OLD)
    assert product.power_on().memory.trial == {}


@pytest.fixture
def client(product: Product, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The whole client, connected to a broker that notes what is reported."""
    import otaru_plain
    import shadow

    def publish(_client: Client, topic: str, document: str | bytes, **_how: Any) -> None:
        if topic.endswith("/update"):
            product.reported.append(json.loads(document)["state"]["reported"])

    monkeypatch.setattr(Client, "tls_set", lambda *_about: None)
    monkeypatch.setattr(Client, "is_connected", lambda _client: True)
    monkeypatch.setattr(Client, "publish", publish)
    monkeypatch.setattr(shadow.Shadow, "stay_connected", lambda _shadow: None)
    monkeypatch.setattr(otaru_plain, "back_off", lambda _tries: 0)
    monkeypatch.setattr(otaru_plain.PlainClient, "image", lambda *_about: product.state / "download.part")
    (product.state / "download.part").write_text(NEW)
    identity = product.state.parent
    urls = 'mqtt_url = "mqtts://localhost:1"\ndevice_url = "https://localhost:1"\n'
    (identity / "device.toml").write_text(f'{urls}thing = "gateway-01"\nproduct = "gateway"\n')
    commands = {"check": "check", "restart": "restart", "self_test": "self-test", "apply": "apply"}
    options = argparse.Namespace(state=product.state, version=OLD, **commands)
    client = otaru_plain.PlainClient(identity, options)
    product.stop = client.stop
    return client


def test_nothing_is_reported_before_the_restart_that_is_owed(product: Product, client: Any) -> None:
    from download import AgainError

    product.fails = [f"self-test {NEW}"] + [f"restart {OLD}"] * 2
    for _ in range(2):
        with pytest.raises(AgainError):
            client.follow(*WISH)
        client.shadow.subscribed()
    assert (product.running, product.reported) == (NEW, [])

    client.follow(*WISH)
    failed = {"version": NEW, "why": "it failed its self-test"}
    assert product.reported == [{"config": {"firmware_version": OLD}, "failed_update": failed}]
    assert product.running == OLD
    assert product.ran == [f"restart {NEW}", f"self-test {NEW}"] + [f"restart {OLD}"] * 3


def test_a_restart_that_is_owed_is_tried_while_there_is_no_news(product: Product, client: Any) -> None:
    client.shadow.wish = WISH
    product.fails = [f"self-test {NEW}"] + [f"restart {OLD}"] * 3
    product.stopped_after = [f"restart {OLD}"]
    watchdog = threading.Timer(PATIENCE_S, client.end)
    watchdog.start()
    client.run()
    watchdog.cancel()
    assert product.ran[2:] == [f"restart {OLD}"] * 4
    assert (product.running, client.memory.trial) == (OLD, {})
