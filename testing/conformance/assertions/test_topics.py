"""Topics and delivery: assertions 1 to 17."""

import uuid
from collections import Counter

import pytest

from harness.mqtt import Mqtt
from harness.room import Room
from harness.shadow import Json, MqttRequester, Shadow, ShadowId, Watcher, accepted, fresh_thing, payload_of

over_mqtt = pytest.mark.parametrize("via", ["mqtt3", "mqtt5"], indirect=True)
over_http = pytest.mark.parametrize("via", ["http"], indirect=True)

WISH: Json = {"state": {"desired": {"config": {"phrase_type": "poetic"}}}}
CLOSED: Json = {"state": {"desired": {"a": 1}, "reported": {"a": 1}}}


@over_mqtt
@pytest.mark.parametrize("payload", [b"", b"{}"], ids=["empty", "braces"])
def test_01_get_is_answered_once(room: Room, shadow: Shadow, payload: bytes) -> None:
    watcher = room.watch(shadow)
    shadow.refused(payload, verb="get")
    assert watcher.kinds() == ["get/rejected"]
    shadow.update(WISH)
    watcher.all()
    shadow.get(payload)
    assert watcher.kinds() == ["get/accepted"]


@pytest.mark.parametrize("name", [None, "cfg", "update", "delete", "name", "$aws:x_y-Z"])
def test_02_classic_and_named_shadows_have_the_same_rules(room: Room, name: str | None) -> None:
    shadow = room.shadow(name)
    watcher = room.watch(shadow)
    assert shadow.refused(None, verb="get").code == 404
    assert shadow.report({"a": 1, "b": 2})["version"] == 1
    watcher.all()
    assert shadow.desire({"a": 3})["version"] == 2
    told = dict(watcher.answers())
    assert set(told) == {"update/accepted", "update/delta", "update/documents"}
    assert told["update/delta"]["state"] == {"a": 3}
    state = {"desired": {"a": 3}, "reported": {"a": 1, "b": 2}, "delta": {"a": 3}}
    assert shadow.get()["state"] == state
    assert shadow.refused({"state": {}, "version": 1}).code == 409
    assert shadow.delete()["version"] == 2
    assert shadow.refused(None, verb="delete").code == 404


def test_03_classic_and_named_shadows_of_a_thing_are_independent(room: Room, shadow: Shadow) -> None:
    thing = shadow.id.thing
    named, alike = room.shadow("cfg", thing), room.shadow(thing, thing)
    shadow.desire({"a": 1})
    shadow.desire({"b": 2})
    assert named.desire({"a": 5})["version"] == 1
    assert alike.desire({"a": 6})["version"] == 1
    assert (shadow.get()["state"]["desired"], shadow.version) == ({"a": 1, "b": 2}, 2)
    assert (named.get()["state"]["desired"], named.version) == ({"a": 5}, 1)
    shadow.delete()
    assert named.get()["state"]["desired"] == {"a": 5}
    named.delete()
    assert alike.get()["state"]["desired"] == {"a": 6}


def test_04_equal_shadow_names_under_different_things_are_independent(room: Room) -> None:
    thing = fresh_thing()
    one, other, capital = (
        room.shadow("cfg", thing),
        room.shadow("cfg"),
        room.shadow("cfg", thing.capitalize()),
    )
    one.desire({"a": 1})
    one.desire({"a": 2})
    assert other.refused(None, verb="get").code == 404
    assert capital.refused(None, verb="get").code == 404
    assert other.desire({"b": 3})["version"] == 1
    assert one.get()["state"]["desired"] == {"a": 2}
    other.delete()
    assert one.version == 2


def test_05_an_accepted_update_gives_accepted_and_documents_once(room: Room, shadow: Shadow) -> None:
    watcher = room.watch(shadow)
    for document, deltas in [(WISH, 1), (CLOSED, 1), ({"state": {"desired": {"config": None}}}, 0)]:
        shadow.update(document)
        expected = Counter({"update/accepted": 1, "update/documents": 1})
        assert Counter(watcher.kinds()) == expected + Counter({"update/delta": deltas})


@pytest.mark.parametrize(
    "document", [{"state": 1}, {**WISH, "version": 7}, b"{"], ids=["shape", "version", "json"]
)
def test_06_a_rejected_update_publishes_nothing_else(room: Room, shadow: Shadow, document: Json) -> None:
    shadow.update(WISH)
    watcher = room.watch(shadow)
    shadow.refused(document)
    assert watcher.kinds() == ([] if room.via == "http" else ["update/rejected"])
    assert shadow.version == 1


@over_http
def test_07_http_update_publishes_accepted_delta_and_documents(room: Room, shadow: Shadow) -> None:
    watcher = room.watch(shadow)
    body = shadow.update({**WISH, "clientToken": "app-7"})
    told = watcher.answers()
    assert sorted(kind for kind, _ in told) == ["update/accepted", "update/delta", "update/documents"]
    assert dict(told)["update/accepted"] == body
    assert dict(told)["update/delta"]["state"] == WISH["state"]["desired"]
    shadow.report({"config": {"phrase_type": "poetic"}})
    assert sorted(watcher.kinds()) == ["update/accepted", "update/documents"]


@over_http
def test_08_http_delete_publishes_accepted(room: Room, shadow: Shadow) -> None:
    shadow.update(WISH)
    watcher = room.watch(shadow)
    body = shadow.delete()
    assert watcher.answers() == [("delete/accepted", body)]


@over_http
def test_09_a_failed_http_request_publishes_nothing(room: Room, shadow: Shadow) -> None:
    watcher = room.watch(shadow)
    assert shadow.refused(None, verb="get").code == 404
    assert shadow.refused(None, verb="delete").code == 404
    assert shadow.refused({"state": []}).code == 400
    assert shadow.refused({**WISH, "version": 3}).code == 409
    assert shadow.refused({"state": {"desired": {"a": "x" * 9000}}}).code == 413
    assert watcher.all() == []


@over_http
def test_10_http_get_publishes_nothing(room: Room, shadow: Shadow) -> None:
    shadow.update(WISH)
    watcher = room.watch(shadow)
    shadow.get()
    assert watcher.all() == []


def test_11_every_authorized_subscriber_hears_the_answers(room: Room, shadow: Shadow) -> None:
    device = Watcher(shadow.id, room.device(shadow.id.thing))
    watchers = [room.watch(shadow), room.watch(shadow), device]
    shadow.update(WISH)
    shadow.delete()
    for watcher in watchers:
        assert sorted(watcher.kinds()) == [
            "delete/accepted",
            "update/accepted",
            "update/delta",
            "update/documents",
        ]


def test_12_no_message_of_the_service_is_retained(room: Room, shadow: Shadow) -> None:
    watcher = room.watch(shadow)
    shadow.update(WISH)
    shadow.get()
    messages = watcher.all()
    assert len(messages) >= 3
    assert not any(message.retain for message in messages)
    assert room.watch(shadow).all() == []


@over_mqtt
@pytest.mark.parametrize("asked", [0, 1])
def test_13_requests_at_qos_0_and_1_are_answered_at_qos_1(room: Room, asked: int) -> None:
    shadow = Shadow(ShadowId(fresh_thing()), room.requester("", qos=asked))
    often, seldom = room.watch(shadow), room.backend()
    assert seldom.subscribe(shadow.id.topic("update/accepted"), qos=0) == [0]
    shadow.update(WISH)
    shadow.get()
    shadow.delete()
    answers = [
        message for message in often.all() if message.topic.count("/") > shadow.id.topic("").count("/")
    ]
    assert len(answers) == 5
    assert {message.qos for message in answers} == {1}
    assert seldom.next().qos == 0


def test_14_a_subscription_to_everything_hears_nothing_below_aws(room: Room, shadow: Shadow) -> None:
    everything, marker = room.backend(), f"conformance/{uuid.uuid4()}"
    assert everything.subscribe("#", "+/things/#") == [1, 1]
    watcher = room.watch(shadow)
    shadow.update(WISH)
    assert len(watcher.answers()) == 3
    everything.publish(marker)
    heard = everything.until(lambda message: message.topic == marker)
    assert [message.topic for message in heard if message.topic.startswith("$")] == []


@over_mqtt
def test_15_a_wildcard_below_get_hears_its_answers(room: Room, shadow: Shadow) -> None:
    client = room.backend()
    assert client.subscribe(shadow.id.topic("get/+")) == [1]
    client.publish(shadow.id.topic("get"))
    assert client.next().topic == shadow.id.topic("get/rejected")
    shadow.update(WISH)
    client.publish(shadow.id.topic("get"))
    assert client.next().topic == shadow.id.topic("get/accepted")


@pytest.mark.parametrize("who", ["backend", "device"])
def test_16_a_delta_waits_for_a_persistent_session(room: Room, shadow: Shadow, who: str) -> None:
    def sleeper() -> Mqtt:
        if who == "device":
            return room.device(shadow.id.thing, clean=False)
        return room.backend(f"sleeper-{shadow.id.thing}", clean=False)

    first = sleeper()
    assert not first.session_present
    assert first.subscribe(shadow.id.topic("update/delta")) == [1]
    first.break_off()
    shadow.update({**WISH, "clientToken": "missed"})
    again = sleeper()
    assert again.session_present
    delta = again.next_on(shadow.id.topic("update/delta")).body
    assert (delta["state"], delta["version"]) == (WISH["state"]["desired"], 1)
    # The one that was queued, not one made on return.
    assert delta["clientToken"] == "missed"


@over_mqtt
def test_17_a_last_will_is_no_request(room: Room, shadow: Shadow) -> None:
    watcher = room.watch(shadow)
    payload = payload_of(WISH)
    room.with_will(shadow.id.topic("update"), payload).break_off()
    will = watcher.mqtt.next_on(shadow.id.topic("update"))
    assert will.payload == payload
    assert watcher.kinds() == []
    assert shadow.refused(None, verb="get").code == 404
    accepted(MqttRequester(room.backend()).request(shadow.id, "update", payload))
