"""Requests, topics and messages beyond the checklist (§2 to §5)."""

import pytest

from harness.mqtt import Mqtt
from harness.room import Room
from harness.shadow import Json, Shadow, ShadowId, fresh_thing, payload_of

over_mqtt = pytest.mark.parametrize("via", ["mqtt3", "mqtt5"], indirect=True)
once = pytest.mark.parametrize("via", ["mqtt3"], indirect=True)

NOT_AUTHORIZED = 0x87

WISH: Json = {"state": {"desired": {"a": 1}}}


def refused_publish(client: Mqtt, topic: str, retain: bool = False) -> None:
    """MQTT 3.1.1 has no way to refuse but to end the connection; MQTT 5 has a reason code."""
    if client.version == "mqtt5":
        assert client.publish(topic, payload_of(WISH), retain=retain) == NOT_AUTHORIZED
        assert client.is_open()
    else:
        client.send(topic, payload_of(WISH), retain=retain)
        client.closed()


@pytest.mark.parametrize("end", [b"\0", b"\0\0 ", b" \r\n\t"])
def test_padding_after_an_update_is_tolerated(shadow: Shadow, end: bytes) -> None:
    assert shadow.update(payload_of(WISH) + end)["version"] == 1


@over_mqtt
@pytest.mark.parametrize("payload", [b"{", b"[1]", b"\xff", b"text\0"])
def test_get_and_delete_ignore_what_they_cannot_read(shadow: Shadow, payload: bytes) -> None:
    shadow.update(WISH)
    assert shadow.get(payload)["version"] == 1
    assert shadow.delete(payload)["version"] == 1


@over_mqtt
def test_a_request_topic_is_an_ordinary_topic_too(room: Room, shadow: Shadow) -> None:
    listener = room.backend()
    assert listener.subscribe(shadow.id.topic("update")) == [1]
    shadow.update(WISH)
    assert listener.next().payload == payload_of(WISH)


@over_mqtt
@pytest.mark.parametrize(
    "rest",
    [
        "Update",
        "UPDATE",
        "update/",
        "update/accepted/more",
        "name/cfg",
        "name//update",
        "name/a b/update",
        "name/a/b/update",
        "",
    ],
)
@pytest.mark.parametrize("who", ["backend", "device"])
def test_what_only_looks_like_a_request_is_refused(room: Room, rest: str, who: str) -> None:
    shadow = room.shadow()
    watcher = room.watch(shadow)
    sender = room.device(shadow.id.thing) if who == "device" else room.backend()
    refused_publish(sender, shadow.id.topic(rest))
    assert watcher.kinds() == []


@over_mqtt
@pytest.mark.parametrize(
    "rest", ["update/accepted", "update/delta", "update/documents", "get/rejected", "delete/accepted"]
)
@pytest.mark.parametrize("who", ["backend", "device"])
def test_answers_cannot_be_forged(room: Room, rest: str, who: str) -> None:
    shadow = room.shadow()
    watcher = room.watch(shadow)
    sender = room.device(shadow.id.thing) if who == "device" else room.backend()
    refused_publish(sender, shadow.id.topic(rest))
    assert watcher.all() == []


@over_mqtt
def test_retained_requests_are_refused_and_not_stored(room: Room, shadow: Shadow) -> None:
    refused_publish(room.backend(), shadow.id.topic("update"), retain=True)
    assert room.watch(shadow).all() == []
    assert shadow.refused(None, verb="get").code == 404


@over_mqtt
def test_a_refused_publish_at_qos_0_ends_the_connection(room: Room, shadow: Shadow) -> None:
    client = room.backend()
    client.send(shadow.id.topic("update/accepted"), b"{}", qos=0)
    client.closed()


@over_mqtt
def test_qos_2_is_granted_as_1(room: Room, shadow: Shadow) -> None:
    assert room.backend().subscribe(shadow.id.topic("get/+"), qos=2) == [1]


@over_mqtt
def test_8_filters_in_a_packet_and_50_in_a_connection(room: Room) -> None:
    thing = fresh_thing()
    device = room.device(thing)
    filters = [ShadowId(thing, f"s{number}").topic("get/+") for number in range(50)]
    for start in range(0, 50, 8):
        packet = filters[start : start + 8]
        assert device.subscribe(*packet) == [1] * len(packet)
    device.publish(ShadowId(thing, "s49").topic("get"))
    assert device.next().topic == ShadowId(thing, "s49").topic("get/rejected")


@over_mqtt
def test_a_payload_of_128_kib_is_answered(shadow: Shadow) -> None:
    document = payload_of({"state": {"desired": {"a": "x"}}})
    padded = document[:-1] + b" " * (128 * 1024 - len(document)) + b"}"
    assert len(padded) == 128 * 1024
    assert shadow.update(padded)["version"] == 1


def test_delta_comes_before_documents_and_accepted(room: Room, shadow: Shadow) -> None:
    watcher = room.watch(shadow)
    shadow.update(WISH)
    assert watcher.kinds() == ["update/delta", "update/documents", "update/accepted"]


def test_accepted_echoes_nulls(shadow: Shadow) -> None:
    shadow.update({"state": {"desired": {"a": 1, "b": {"c": 2}}}})
    answer = shadow.update({"state": {"desired": {"b": {"c": None}}, "reported": None}})
    stamp = {"timestamp": answer["timestamp"]}
    assert answer["state"] == {"desired": {"b": {"c": None}}, "reported": None}
    assert answer["metadata"] == {"desired": {"b": {"c": stamp}}, "reported": stamp}
    answer = shadow.update({"state": None})
    assert (answer["state"], answer["metadata"]) == (None, {"timestamp": answer["timestamp"]})


def test_emptied_objects_stay_and_new_ones_lose_their_nulls(shadow: Shadow) -> None:
    shadow.desire({"a": {"b": 1}})
    shadow.desire({"a": {"b": None}, "c": {"d": None, "e": {}}})
    document = shadow.get()
    assert document["state"]["desired"] == {"a": {}, "c": {"e": {}}}
    assert document["metadata"]["desired"] == {"a": {}, "c": {"e": {}}}


def test_documents_are_compact(room: Room, shadow: Shadow) -> None:
    watcher = room.watch(shadow)
    shadow.update(WISH)
    for message in watcher.all():
        if message.topic.endswith(("/accepted", "/delta", "/documents")):
            assert b" " not in message.payload and b"\n" not in message.payload


@pytest.mark.parametrize("via", ["mqtt3", "mqtt5"], indirect=True)
def test_the_worked_sequence(room: Room, shadow: Shadow) -> None:
    watcher, over_http = room.watch(shadow), Room(room.server, "http")
    missing = shadow.refused(None, verb="get")
    assert missing.message == f"No shadow exists with name: '{shadow.id.thing}'"
    config = {"config": {"version": "1.4.0", "phrase_type": "classic"}}
    assert shadow.report(config, clientToken="b1")["version"] == 1
    http = over_http.shadow(thing=shadow.id.thing)
    watcher.all()
    assert http.desire({"config": {"phrase_type": "poetic"}})["version"] == 2
    told = dict(watcher.answers())
    assert told["update/delta"]["state"] == {"config": {"phrase_type": "poetic"}}
    stamp = told["update/delta"]["metadata"]
    # The answers over HTTP are heard as well, so that these need a token.
    assert shadow.report({"config": {"version": "1.4.1"}}, clientToken="b3")["version"] == 3
    again = watcher.only("update/delta")
    assert (again["state"], again["metadata"]) == ({"config": {"phrase_type": "poetic"}}, stamp)
    assert shadow.report({"config": {"phrase_type": "poetic"}}, clientToken="b4")["version"] == 4
    assert "update/delta" not in watcher.kinds()
    haiku = {"desired": {"config": {"phrase_type": "haiku"}}}
    stale = shadow.refused({"state": haiku, "version": 3, "clientToken": "b6"})
    assert (stale.code, shadow.version) == (409, 4)
    watcher.all()
    cleared = shadow.desire(None, clientToken="b5")
    assert (cleared["version"], cleared["state"]) == (5, {"desired": None})
    assert set(shadow.get()["state"]) == {"reported"}
    deleted = shadow.delete({"clientToken": "d1"})
    assert (deleted["version"], deleted["clientToken"]) == (5, "d1")
    assert shadow.refused(None, verb="delete").code == 404
    assert shadow.report({"config": {"version": "1.5.0"}}, clientToken="b7")["version"] == 7
    assert shadow.get()["state"] == {"reported": {"config": {"version": "1.5.0"}}}
