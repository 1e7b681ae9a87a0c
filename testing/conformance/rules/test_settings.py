"""What can be set: limits of requests, and the points that AWS's documents leave open (§7, §14)."""

import json
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.aws import key_client
from harness.mqtt import Mqtt
from harness.room import Room
from harness.server import Server
from harness.shadow import HttpRequester, Json, Shadow, ShadowId, fresh_thing, payload_of

WISH: Json = {"state": {"desired": {"a": 1}}}

_OTHER_DIALECT = {
    "ARRAYS_ARE_LEVELS": "false",
    "DELETE_TAKES_A_VERSION": "false",
    "NULL_PREVIOUS": "false",
    "DELTA_METADATA": "true",
    "REMOVED_KEYS_ARE_STAMPED": "false",
    "NUMBERS_BY_VALUE": "false",
    "VERSION_OF_MISSING": "any",
    "INVALID_NODE_IS_NAMED": "false",
    "NULL_IN_ARRAY_TEXT": "Arrays hold no null",
    "THROTTLED_TEXT": "Rate exceeded",
    "LIST_TIMESTAMP_IN_MS": "true",
    "ERRORS_HAVE_TRACE_ID": "false",
    "RETAINED_IS_REFUSED": "false",
}


@pytest.fixture(scope="module")
def strict(
    fresh_database: Callable[[], str | None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with the quotas of AWS and small documents, which reads every open point the other way."""
    settings = {f"SHADOWS__DIALECT__{name}": value for name, value in _OTHER_DIALECT.items()} | {
        "SHADOWS__QUOTAS": "aws",
        "SHADOWS__DOCUMENT_BYTES": "1000",
        "SHADOWS__NESTING_LEVELS": "2",
        "SHADOWS__TOKEN_BYTES": "10",
        "SHADOWS__THING_NAME_BYTES": "40",
        "SHADOWS__SHADOW_NAME_BYTES": "8",
    }
    running = Server(tmp_path_factory.mktemp("strict"), fresh_database(), **settings)
    yield running
    assert running.end(signal.SIGTERM) == 0


def over_http(server: Server, name: str | None = None) -> Shadow:
    return Shadow(ShadowId(fresh_thing(), name), HttpRequester(key_client(server)))


@pytest.fixture(params=["mqtt3", "mqtt5"])
def backend(strict: Server, request: pytest.FixtureRequest) -> Iterator[Mqtt]:
    client = Room(strict, request.param).backend()
    yield client
    client.disconnect()


def test_a_burst_over_mqtt_is_answered_one_by_one(backend: Mqtt) -> None:
    shadow = ShadowId(fresh_thing())
    topic = shadow.topic("update")
    backend.subscribe(f"{topic}/accepted", f"{topic}/rejected", qos=1)
    tokens = {f"burst-{number}" for number in range(60)}
    for token in tokens:
        backend.send(topic, payload_of(WISH | {"clientToken": token}), qos=1)
    answers = [backend.next().body for _ in tokens]
    assert {answer["clientToken"] for answer in answers} == tokens
    versions = [answer["version"] for answer in answers if "version" in answer]
    assert 1 <= len(versions) < 60 and versions == list(range(1, len(versions) + 1))
    refused = [answer for answer in answers if "version" not in answer]
    assert all((answer["code"], answer["message"]) == (429, "Rate exceeded") for answer in refused)
    assert backend.is_open()


def test_boto3_is_throttled(strict: Server) -> None:
    shadow = over_http(strict)
    answers = [shadow.ask("update", WISH) for _ in range(60)]
    refused = [answer for answer in answers if not answer.accepted]
    assert refused and {answer.code for answer in refused} == {429}
    assert {(answer.error, answer.message) for answer in refused} == {("ThrottlingException", "Rate exceeded")}
    # What one thing asked too often, another may ask.
    assert over_http(strict).update(WISH)["version"] == 1


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"state": {"desired": {"a": "x" * 1000}}}, 413),
        ({"state": {"desired": {"a": {"b": {"c": 1}}}}}, 400),
        ({"state": {}, "clientToken": "eleven byte"}, 400),
    ],
)
def test_what_is_set_is_kept(strict: Server, wish: Json, code: int) -> None:
    assert over_http(strict).ask("update", wish).code == code


def test_names_that_are_too_long_are_refused(strict: Server) -> None:
    answer = over_http(strict, "nine-long").ask("update", WISH)
    assert (answer.code, answer.message) == (400, "The shadow name may have 8 bytes, found 9")
    long = Shadow(ShadowId("t" * 41), HttpRequester(key_client(strict)))
    answer = long.ask("update", WISH)
    assert (answer.code, answer.message) == (400, "The thing name may have 40 bytes, found 41")


def test_every_open_point_can_be_read_the_other_way(strict: Server, backend: Mqtt) -> None:
    shadow = over_http(strict)
    topic = shadow.id.topic("update")
    backend.subscribe(f"{topic}/documents", qos=1)
    # Whichever version is named, and arrays are no levels.
    first = shadow.update({"state": {"desired": {"a": {"b": [[1]]}, "n": 1}}, "version": 7})
    assert first["version"] == 1
    assert "previous" not in backend.next().body
    accepted = shadow.update({"state": {"desired": {"a": None}, "reported": {"n": 1.0}}})
    assert accepted["metadata"]["desired"] == {}
    document = shadow.get()
    assert document["state"]["delta"] == {"n": 1}
    assert document["metadata"]["delta"] == {"n": document["metadata"]["desired"]["n"]}
    assert shadow.delete()["version"] == 2
    assert shadow.update(WISH)["version"] == 3


def test_texts_can_be_set(strict: Server) -> None:
    answer = over_http(strict).ask("update", b'{"state":{"else":1}}')
    assert answer.message == "State contains an invalid node"
    answer = over_http(strict).ask("update", b'{"state":{"desired":{"a":[null]}}}')
    assert answer.message == "Arrays hold no null"


def test_a_list_can_be_stamped_in_milliseconds(strict: Server) -> None:
    listed = key_client(strict).list_named_shadows_for_thing(thingName=fresh_thing())
    assert listed["timestamp"] > 1_000_000_000_000


def test_errors_can_be_without_the_request(strict: Server) -> None:
    assert errors_of(strict).keys() == {"message"}


def test_errors_name_the_request(server: Server) -> None:
    assert errors_of(server).keys() == {"message", "traceId"}


def errors_of(server: Server) -> Any:
    url = f"http://127.0.0.1:{server.port('http')}/things/{fresh_thing()}/shadow"
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(url)
    with error.value as answer:
        return json.loads(answer.read())


def test_a_retained_request_can_be_taken_and_is_not_retained(backend: Mqtt) -> None:
    shadow = ShadowId(fresh_thing())
    topic = shadow.topic("update")
    backend.subscribe(f"{topic}/accepted", qos=1)
    backend.send(topic, payload_of(WISH), retain=True)
    assert backend.next().body["version"] == 1
    backend.subscribe(topic, qos=1)
    backend.send(topic, payload_of(WISH | {"clientToken": "second"}), qos=1)
    heard = backend.next(lambda message: message.topic == topic)
    assert heard.body["clientToken"] == "second" and not heard.retain
