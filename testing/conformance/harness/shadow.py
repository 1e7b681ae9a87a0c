"""Shadows, asked over MQTT or HTTP with the same calls."""

import itertools
import json
import uuid
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.exceptions import ClientError

from .mqtt import Message, Mqtt

Json = Any

_BARRIER = "barrier-"
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class ShadowId:
    """A classic shadow, or a named one."""

    thing: str
    name: str | None = None

    def topic(self, rest: str) -> str:
        named = f"name/{self.name}/" if self.name is not None else ""
        return f"$aws/things/{self.thing}/shadow/{named}{rest}"


@dataclass(frozen=True)
class Answer:
    """What came of a request."""

    accepted: bool
    body: Json
    """The document of an accepted request, or the error document."""
    code: int | None = None
    message: str | None = None
    error: str | None = None
    """The name of boto3's exception, over HTTP."""


class Requester(Protocol):
    """Somebody who asks for shadows."""

    def request(self, shadow: ShadowId, verb: str, payload: bytes) -> Answer: ...


@dataclass
class MqttRequester:
    """Asks over MQTT, and hears only the answers to its own requests when they carry a token."""

    mqtt: Mqtt
    qos: int = 1
    _subscribed: set[str] = field(default_factory=set)

    def request(self, shadow: ShadowId, verb: str, payload: bytes) -> Answer:
        topic = shadow.topic(verb)
        answers = (f"{topic}/accepted", f"{topic}/rejected")
        if topic not in self._subscribed:
            assert self.mqtt.subscribe(*answers, qos=1) == [1, 1]
            self._subscribed.add(topic)
        self.mqtt.publish(topic, payload, qos=self.qos)
        token = token_of(payload)

        def is_for_us(message: Message) -> bool:
            found = token_of(message.payload)
            # The answer to a token that was refused has none.
            is_rejected = message.topic == answers[1] and found is None
            return message.topic in answers and (found == token or is_rejected)

        message = self.mqtt.next(is_for_us)
        if message.topic.endswith("/accepted"):
            return Answer(True, message.body)
        return Answer(False, message.body, message.body["code"], message.body["message"])


@dataclass
class HttpRequester:
    """Asks through boto3."""

    client: Any

    def request(self, shadow: ShadowId, verb: str, payload: bytes) -> Answer:
        named = {} if shadow.name is None else {"shadowName": shadow.name}
        try:
            answer = self._call(verb, payload, thingName=shadow.thing, **named)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            message = error.response["Error"]["Message"]
            return Answer(False, error.response, status, message, type(error).__name__)
        return Answer(True, json.loads(answer["payload"].read()))

    def _call(self, verb: str, payload: bytes, **named: str) -> Json:
        if verb == "update":
            return self.client.update_thing_shadow(payload=payload, **named)
        assert not payload, "over HTTP get and delete have no payload"
        if verb == "get":
            return self.client.get_thing_shadow(**named)
        return self.client.delete_thing_shadow(**named)


@dataclass
class Shadow:
    """One shadow and who asks for it."""

    id: ShadowId
    requester: Requester

    def ask(self, verb: str, document: Json = None) -> Answer:
        """Sends a request; bytes go as they are, no document is an empty payload."""
        return self.requester.request(self.id, verb, payload_of(document))

    def update(self, document: Json) -> Json:
        """An update that has to be accepted; answers `update/accepted`."""
        return accepted(self.ask("update", document))

    def desire(self, desired: Json, **others: Json) -> Json:
        return self.update({"state": {"desired": desired}, **others})

    def report(self, reported: Json, **others: Json) -> Json:
        return self.update({"state": {"reported": reported}, **others})

    def refused(self, document: Json, verb: str = "update") -> Answer:
        """A request that has to be rejected."""
        answer = self.ask(verb, document)
        assert not answer.accepted, f"accepted: {answer.body}"
        return answer

    def get(self, document: Json = None) -> Json:
        return accepted(self.ask("get", document))

    def delete(self, document: Json = None) -> Json:
        return accepted(self.ask("delete", document))

    @property
    def version(self) -> int:
        version: int = self.get()["version"]
        return version


@dataclass
class Watcher:
    """Hears everything below a shadow's topics."""

    shadow: ShadowId
    mqtt: Mqtt

    def __post_init__(self) -> None:
        assert self.mqtt.subscribe(self.shadow.topic("#")) == [1]

    def all(self) -> list[Message]:
        """Every message since the last call. A request of its own, answered after them, is the barrier."""
        token = f"{_BARRIER}{next(_NUMBERS)}"
        self.mqtt.publish(self.shadow.topic("get"), payload_of({"clientToken": token}))
        answers = (self.shadow.topic("get/accepted"), self.shadow.topic("get/rejected"))
        messages = self.mqtt.until(
            lambda message: message.topic in answers and token_of(message.payload) == token
        )
        return [message for message in messages if not (token_of(message.payload) or "").startswith(_BARRIER)]

    def answers(self) -> list[tuple[str, Json]]:
        """What the service said since the last call: kind of message, and document."""
        prefix = self.shadow.topic("")
        said = [(message.topic.removeprefix(prefix), message) for message in self.all()]
        return [(kind, message.body) for kind, message in said if kind.count("/") == 1]

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.answers()]

    def only(self, kind: str) -> Json:
        """The one message of that kind since the last call."""
        found = [body for found, body in self.answers() if found == kind]
        assert len(found) == 1, f"{len(found)} of {kind}"
        return found[0]


def accepted(answer: Answer) -> Json:
    assert answer.accepted, f"rejected: {answer.code} {answer.message}"
    return answer.body


def payload_of(document: Json) -> bytes:
    if document is None:
        return b""
    return document if isinstance(document, bytes) else json.dumps(document).encode()


def token_of(payload: bytes) -> str | None:
    try:
        document = json.loads(payload)
    except ValueError:
        return None
    token = document.get("clientToken") if isinstance(document, dict) else None
    return token if isinstance(token, str) else None


def fresh_thing() -> str:
    return f"clock-{uuid.uuid4().hex[:12]}"
