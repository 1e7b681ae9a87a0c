"""Presence events, as a backend hears them."""

from .mqtt import Mqtt
from .shadow import Json


class Presence:
    """Hears of all clients."""

    def __init__(self, mqtt: Mqtt) -> None:
        self._mqtt = mqtt
        assert mqtt.subscribe("$aws/events/#") == [1]

    def next(self, kind: str, client_id: str) -> Json:
        """The next presence event of that kind about the client."""
        return self._mqtt.next_on(f"$aws/events/presence/{kind}/{client_id}").body

    def next_subscription(self, kind: str, client_id: str) -> Json:
        """The next event about what the client subscribes to."""
        return self._mqtt.next_on(f"$aws/events/subscriptions/{kind}/{client_id}").body

    def until(self, kind: str, client_id: str) -> list[str]:
        """The topics of all events up to that one, which is left out."""
        last = f"$aws/events/presence/{kind}/{client_id}"
        return [message.topic for message in self._mqtt.until(lambda message: message.topic == last)]
