"""What one test has: a server, a way to ask, and clients that end with it."""

import time
from dataclasses import dataclass, field
from typing import Any

from .aws import key_client
from .mqtt import Mqtt, Will
from .server import Server
from .shadow import HttpRequester, MqttRequester, Requester, Shadow, ShadowId, Watcher, fresh_thing


@dataclass
class Room:
    server: Server
    via: str
    """`mqtt3`, `mqtt5` or `http`: how the test asks."""
    _clients: list[Mqtt] = field(default_factory=list)

    @property
    def version(self) -> str:
        """The MQTT version of clients that are not what the test is about."""
        return "mqtt3" if self.via == "http" else self.via

    def shadow(self, name: str | None = None, thing: str | None = None) -> Shadow:
        """A shadow, of a fresh thing unless one is named."""
        shadow = ShadowId(thing or fresh_thing(), name)
        return Shadow(shadow, self.requester(shadow.thing))

    def requester(self, thing: str, qos: int = 1) -> Requester:
        """Somebody who may ask for the thing's shadows."""
        if self.via == "http":
            return HttpRequester(key_client(self.server))
        return MqttRequester(self.backend(), qos)

    def watch(self, shadow: Shadow) -> Watcher:
        return Watcher(shadow.id, self.backend())

    def backend(self, client_id: str | None = None, **options: Any) -> Mqtt:
        """A client of the plain listener."""
        return self._keep(Mqtt(self.server, self.version, client_id, **options))

    def device(self, thing: str, client_id: str | None = None, **options: Any) -> Mqtt:
        """The device of that name, with its certificate; it has to say the same name."""
        identity = self.server.device(thing)
        return self._keep(Mqtt(self.server, self.version, client_id or thing, identity, **options))

    def with_will(self, topic: str, payload: bytes, **options: Any) -> Mqtt:
        return self.backend(will=Will(topic, payload), **options)

    def close(self) -> None:
        for client in self._clients:
            client.disconnect()

    def _keep(self, client: Mqtt) -> Mqtt:
        self._clients.append(client)
        return client


def next_second(shadow: Shadow, after_s: int) -> None:
    """Returns once the service's clock, which every answer tells, has passed the second."""
    while shadow.get()["timestamp"] <= after_s:
        # Asked without a pause, it would ask more than a thing may.
        time.sleep(0.02)
