"""The device's shadow over MQTT: what is wished, and what is reported."""

import json
import logging
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

LOG = logging.getLogger("otaru_plain")
PATIENCE_S = 15
LONGEST_WAIT_S = 300.0
STEADY_S = 60


class Shadow:
    """Keeps the connection, in a thread of its own, and the newest wish."""

    def __init__(
        self, identity: Path, device: dict[str, Any], reported: Callable[[], dict[str, Any]]
    ) -> None:
        self.reported = reported
        # What differs from what was reported, and when the version was asked for: a new wish has a new time.
        self.wish: tuple[dict[str, Any], Any] = ({}, None)
        self.stop, self.news, self.answered = threading.Event(), threading.Event(), threading.Event()
        self.highest = self.attempts = 0
        self.connected_at: float | None = None
        self.broker = urlsplit(device["mqtt_url"])
        self.topics = f"$aws/things/{device['thing']}/shadow"
        # The shadow is read after every connect, so no session has to keep messages.
        self.mqtt = Client(CallbackAPIVersion.VERSION2, device["thing"], True, reconnect_on_failure=False)
        ca, certificate, key = (str(identity / name) for name in ("ca.pem", "cert.pem", "key.pem"))
        self.mqtt.tls_set(ca, certificate, key)
        # A message that cannot be read is logged, and does not end the thread.
        self.mqtt.suppress_exceptions = True
        self.mqtt.enable_logger(logging.getLogger("paho"))
        self.mqtt.on_connect, self.mqtt.on_subscribe = self.connected, self.subscribed
        self.mqtt.on_message = self.heard
        self.network = threading.Thread(target=self.stay_connected, daemon=True)

    def stay_connected(self) -> None:
        while not self.stop.is_set():
            self.connected_at = None
            try:
                self.mqtt.connect(self.broker.hostname or "", self.broker.port or 8883, keepalive=60)
                self.mqtt.loop_forever()
            except OSError as error:
                LOG.warning("broker: %s", error)
            # One that ends at once is no better than none: a fault must not repeat every second.
            if self.connected_at and time.monotonic() - self.connected_at > STEADY_S:
                self.attempts = 0
            self.stop.wait(back_off(self.attempts))
            self.attempts += 1

    def leave(self) -> None:
        self.mqtt.disconnect()
        self.network.join(PATIENCE_S)

    def connected(self, client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            LOG.warning("the broker refuses: %s", reason)
            return
        self.highest, self.connected_at = 0, time.monotonic()
        kinds = ("update/delta", "get/accepted", "delete/accepted")
        client.subscribe([(f"{self.topics}/{kind}", 1) for kind in kinds])

    def subscribed(self, *_about: Any) -> None:
        self.report()
        self.ask()

    def heard(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        """Takes what the shadow says, unless something newer was heard already."""
        kind = message.topic.removeprefix(f"{self.topics}/")
        if kind == "delete/accepted":
            self.highest = 0
            return
        document = json.loads(message.payload)
        state, stamps = document["state"], document.get("metadata", {})
        if kind == "get/accepted":
            state, stamps = state.get("delta", {}), stamps.get("desired", {})
        # Deltas are cumulative: the newest is all of them. One version has one delta.
        if document["version"] >= self.highest + (kind == "update/delta"):
            self.highest = document["version"]
            config = state.get("config")
            is_object = isinstance(config, dict)
            self.wish = (config, stamps["config"].get("firmware_version")) if is_object else ({}, None)
            self.news.set()
        if kind == "get/accepted":
            self.answered.set()

    def ask(self) -> None:
        self.mqtt.publish(f"{self.topics}/get", b"", qos=1)

    def report(self) -> None:
        """Says what is true now, if anything is; after a reconnect it is said anyway."""
        reported = self.reported()
        if reported and self.mqtt.is_connected():
            document = {"state": {"reported": reported}}
            self.mqtt.publish(f"{self.topics}/update", json.dumps(document), qos=1)

    def wishes(self, version: str) -> bool:
        return self.wish[0].get("firmware_version") == version

    def still_wishes(self, version: str) -> bool:
        """Asks, since no delta tells that a wish was taken back."""
        self.answered.clear()
        self.ask()
        return self.answered.wait(PATIENCE_S) and self.wishes(version)


def back_off(tries: int) -> float:
    """Full jitter: a fleet that lost its server does not come back all at once."""
    return random.uniform(0, min(LONGEST_WAIT_S, 2.0 ** min(tries, 16)))
