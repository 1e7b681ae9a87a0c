"""An MQTT client: paho, with an inbox that a test reads in its own time."""

import json
import queue
import socket
import ssl
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from . import PATIENCE_S
from .server import Identity, Server

VERSIONS = {"mqtt3": MQTTProtocolVersion.MQTTv311, "mqtt5": MQTTProtocolVersion.MQTTv5}

SESSION_EXPIRY_S = 600


@dataclass(frozen=True)
class Message:
    """A PUBLISH that came in."""

    topic: str
    payload: bytes
    qos: int
    retain: bool

    @property
    def body(self) -> Any:
        return json.loads(self.payload)


@dataclass(frozen=True)
class Will:
    topic: str
    payload: bytes
    retain: bool = False


class Refused(Exception):
    """The server did not let the client in."""


class Mqtt:
    """One connection: of a backend, or of a device when it has an identity."""

    def __init__(
        self,
        server: Server,
        version: str,
        client_id: str | None = None,
        identity: Identity | None = None,
        clean: bool = True,
        keep_alive_s: int = 60,
        will: Will | None = None,
    ) -> None:
        self.version = version
        self.client_id = client_id or f"backend-{uuid.uuid4()}"
        self._inbox: queue.Queue[Message] = queue.Queue()
        self._aside: list[Message] = []
        self._granted: queue.Queue[list[int]] = queue.Queue()
        self._puback: dict[int, int] = {}
        self._up: queue.Queue[tuple[int, bool]] = queue.Queue()
        self._down = threading.Event()
        self.closed_with: int | None = None
        self._paho = self._client(clean)
        if identity:
            self._paho.tls_set_context(tls_context(identity))
        if will:
            self._paho.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        port = server.port("mqtts" if identity else "mqtt")
        self._paho.connect("localhost" if identity else "127.0.0.1", port, keep_alive_s, **self._start(clean))
        self._paho.loop_start()
        code, self.session_present = self._up.get(timeout=PATIENCE_S)
        if code != 0:
            self._paho.loop_stop()
            raise Refused(f"{self.client_id}: CONNACK {code:#x}")

    def subscribe(self, *filters: str, qos: int = 1) -> list[int]:
        """Subscribes in one packet; answers the granted QoS, or the reason code, of each filter."""
        self._paho.subscribe([(topic, qos) for topic in filters])
        return self._granted.get(timeout=PATIENCE_S)

    def unsubscribe(self, topic: str) -> None:
        done = threading.Event()
        self._paho.on_unsubscribe = lambda *_: done.set()
        self._paho.unsubscribe(topic)
        assert done.wait(PATIENCE_S), "no UNSUBACK"

    def publish(self, topic: str, payload: bytes = b"", qos: int = 1, retain: bool = False) -> int:
        """Publishes and, at QoS 1, waits for the PUBACK; answers its reason code."""
        sent = self._paho.publish(topic, payload, qos=qos, retain=retain)
        sent.wait_for_publish(PATIENCE_S)
        assert sent.is_published(), f"no PUBACK for {topic}"
        return self._puback.pop(sent.mid, 0)

    def send(self, topic: str, payload: bytes = b"", qos: int = 1, retain: bool = False) -> None:
        """Publishes without waiting for anything."""
        self._paho.publish(topic, payload, qos=qos, retain=retain)

    def next(self, wanted: Callable[[Message], bool] = lambda _: True) -> Message:
        """The oldest message not read yet that is wanted; others are kept."""
        for message in self._aside:
            if wanted(message):
                self._aside.remove(message)
                return message
        return self._take(wanted)

    def next_on(self, *topics: str) -> Message:
        return self.next(lambda message: message.topic in topics)

    def until(self, last: Callable[[Message], bool]) -> list[Message]:
        """Every message not read yet, up to the one yet to come that is last, which is left out."""
        self._take(last)
        messages, self._aside = self._aside, []
        return messages

    def closed(self) -> int | None:
        """Waits until the server has closed the connection; answers its reason, if it gave one."""
        assert self._down.wait(PATIENCE_S), f"{self.client_id} is still connected"
        return self.closed_with

    def is_open(self) -> bool:
        return not self._down.is_set()

    def break_off(self) -> None:
        """Goes without a goodbye."""
        connection = self._paho.socket()
        assert isinstance(connection, socket.socket), f"{self.client_id} is not connected"
        connection.shutdown(socket.SHUT_RDWR)
        self.closed()
        self._paho.loop_stop()

    def fall_silent(self) -> None:
        """Stays connected, and neither reads nor writes any more."""
        self._paho.loop_stop()

    def disconnect(self) -> None:
        """Says goodbye and goes; nothing happens if the connection is over."""
        self._paho.disconnect()
        self._paho.loop_stop()

    def _start(self, clean: bool) -> dict[str, Any]:
        if self.version == "mqtt3":
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0 if clean else SESSION_EXPIRY_S
        return {"clean_start": clean, "properties": properties}

    def _client(self, clean: bool) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self.client_id,
            # MQTT 5 says it in CONNECT.
            clean_session=clean if self.version == "mqtt3" else None,
            protocol=VERSIONS[self.version],
            reconnect_on_failure=False,
        )
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        return client

    def _take(self, wanted: Callable[[Message], bool]) -> Message:
        while True:
            try:
                message = self._inbox.get(timeout=PATIENCE_S)
            except queue.Empty:
                raise AssertionError(f"{self.client_id} waits in vain; has {self._aside}") from None
            if wanted(message):
                return message
            self._aside.append(message)

    def _on_connect(self, _c: Any, _u: Any, flags: paho.ConnectFlags, code: ReasonCode, _p: Any) -> None:
        self._up.put((code.value, flags.session_present))

    def _on_disconnect(
        self, _c: Any, _u: Any, flags: paho.DisconnectFlags, code: ReasonCode, _p: Any
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self.closed_with = code.value
        self._down.set()

    def _on_message(self, _c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        self._inbox.put(Message(message.topic, bytes(message.payload), message.qos, message.retain))

    def _on_publish(self, _c: Any, _u: Any, mid: int, code: ReasonCode, _p: Any) -> None:
        if code.is_failure:
            self._puback[mid] = code.value

    def _on_subscribe(self, _c: Any, _u: Any, _mid: int, codes: list[ReasonCode], _p: Any) -> None:
        self._granted.put([code.value for code in codes])


def tls_context(identity: Identity) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(identity.authority))
    context.load_cert_chain(str(identity.certificate), str(identity.key))
    return context
