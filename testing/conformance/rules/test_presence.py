"""Presence events: who comes, who goes and why (§9)."""

import time

import pytest

from harness.mqtt import Refused
from harness.presence import Presence
from harness.raw import Raw, connect_packet
from harness.room import Room
from harness.shadow import ShadowId, fresh_thing

over_mqtt = pytest.mark.parametrize("via", ["mqtt3", "mqtt5"], indirect=True)
once = pytest.mark.parametrize("via", ["mqtt3"], indirect=True)


@pytest.fixture
def presence(room: Room) -> Presence:
    return Presence(room.backend())


@pytest.fixture
def thing() -> str:
    return fresh_thing()


def goes(presence: Presence, client_id: str, reason: str) -> None:
    """The next end of the client has this reason, and is said to be its own choice only if it was."""
    event = presence.next("disconnected", client_id)
    assert event["disconnectReason"] == reason
    assert event["clientInitiatedDisconnect"] is (reason == "CLIENT_INITIATED_DISCONNECT")


@over_mqtt
def test_the_members_of_the_events(room: Room, presence: Presence, thing: str) -> None:
    before_ms = time.time() * 1000
    device = room.device(thing)
    came = presence.next("connected", thing)
    device.disconnect()
    went = presence.next("disconnected", thing)
    after_ms = time.time() * 1000
    both = {"clientId", "timestamp", "eventType", "sessionIdentifier", "principalIdentifier", "versionNumber"}
    assert set(came) == both | {"ipAddress"}
    assert set(went) == both | {"clientInitiatedDisconnect", "disconnectReason"}
    assert (came["eventType"], went["eventType"]) == ("connected", "disconnected")
    assert came["clientId"] == went["clientId"] == thing
    assert came["ipAddress"] in ("127.0.0.1", "::1")
    assert came["principalIdentifier"] == went["principalIdentifier"] != ""
    assert before_ms - 5000 <= came["timestamp"] <= went["timestamp"] <= after_ms + 5000
    assert type(came["timestamp"]) is int and type(came["versionNumber"]) is int


@over_mqtt
@pytest.mark.parametrize("who", ["device", "backend"])
def test_a_goodbye_is_the_clients_choice(room: Room, presence: Presence, thing: str, who: str) -> None:
    (room.device(thing) if who == "device" else room.backend(thing)).disconnect()
    goes(presence, thing, "CLIENT_INITIATED_DISCONNECT")


@over_mqtt
@pytest.mark.parametrize("who", ["device", "backend"])
def test_a_broken_connection_is_lost(room: Room, presence: Presence, thing: str, who: str) -> None:
    (room.device(thing) if who == "device" else room.backend(thing)).break_off()
    goes(presence, thing, "CONNECTION_LOST")


@over_mqtt
def test_a_takeover_ends_the_older_connection(room: Room, presence: Presence, thing: str) -> None:
    old = room.device(thing)
    first = presence.next("connected", thing)
    room.device(thing)
    old.closed()
    second = presence.next("connected", thing)
    ended = presence.next("disconnected", thing)
    assert ended["disconnectReason"] == "DUPLICATE_CLIENTID"
    assert ended["sessionIdentifier"] == first["sessionIdentifier"]
    assert ended["versionNumber"] == first["versionNumber"] < second["versionNumber"]


@once
@pytest.mark.parametrize(
    "nonsense",
    [
        connect_packet("again"),
        b"\xf0\x00",
        b"\x32\x02\x00\x00",
        b"\x30\x80\x80\x10" + b"\x00\x01t" + bytes(262_141),
    ],
    ids=["second connect", "reserved packet", "empty publish", "256 KiB"],
)
def test_nonsense_is_the_clients_error(room: Room, presence: Presence, thing: str, nonsense: bytes) -> None:
    raw = Raw(room.server)
    raw.send(connect_packet(thing))
    assert raw.receive(4) == b"\x20\x02\x00\x00"
    try:
        raw.send(nonsense)
        assert raw.receive(1) == b""
    except (BrokenPipeError, ConnectionResetError):
        pass
    goes(presence, thing, "CLIENT_ERROR")
    raw.close()


@once
def test_what_a_client_may_not_do_ends_it(room: Room, presence: Presence, thing: str) -> None:
    room.device(thing).send(ShadowId(fresh_thing()).topic("get"))
    goes(presence, thing, "FORBIDDEN_ACCESS")


@over_mqtt
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("disconnect", "CLIENT_INITIATED_DISCONNECT"),
        ("break_off", "CONNECTION_LOST"),
        ("fall_silent", "MQTT_KEEP_ALIVE_TIMEOUT"),
    ],
)
def test_only_a_goodbye_keeps_the_last_will(room: Room, thing: str, how: str, reason: str) -> None:
    will, marker, end = f"{thing}/will", f"{thing}/marker", f"$aws/events/presence/disconnected/{thing}"
    listener = room.backend()
    assert listener.subscribe(will, marker, end) == [1, 1, 1]
    client = room.with_will(will, b"last words", client_id=thing, keep_alive_s=1)
    getattr(client, how)()
    assert listener.next_on(end).body["disconnectReason"] == reason
    listener.publish(marker)
    heard = [message.payload for message in listener.until(lambda message: message.topic == marker)]
    assert heard == ([] if how == "disconnect" else [b"last words"])


@once
def test_ids_that_fit_no_topic_have_no_events(room: Room, presence: Presence, thing: str) -> None:
    room.backend(f"{thing}+#").disconnect()
    room.backend(thing).disconnect()
    heard = presence.until("disconnected", thing)
    assert not [topic for topic in heard if thing in topic and not topic.endswith(thing)]


@over_mqtt
def test_a_client_that_is_not_let_in_is_told_of(room: Room, presence: Presence, thing: str) -> None:
    other = fresh_thing()
    with pytest.raises(Refused):
        room.device(thing, client_id=other)
    event = presence.next("connect_failed", other)
    assert (event["eventType"], event["clientId"]) == ("connect_failed", other)
    assert event["connectFailureReason"] == "AUTHORIZATION_FAILED"
    assert type(event["timestamp"]) is int and event["sessionIdentifier"]


@over_mqtt
def test_subscriptions_are_told_of(room: Room, presence: Presence, thing: str) -> None:
    device = room.device(thing)
    topics = {ShadowId(thing).topic("get/+"), ShadowId(thing).topic("update/delta")}
    device.subscribe(*topics, ShadowId("not-mine").topic("get/+"))
    told: set[str] = set()
    while told < topics:
        event = presence.next_subscription("subscribed", thing)
        assert (event["eventType"], event["clientId"]) == ("subscribed", thing)
        told |= set(event["topics"])
    assert told == topics
    device.unsubscribe(ShadowId(thing).topic("get/+"))
    gone = presence.next_subscription("unsubscribed", thing)
    assert (gone["eventType"], gone["topics"]) == ("unsubscribed", [ShadowId(thing).topic("get/+")])
    came = presence.next("connected", thing)
    assert gone["sessionIdentifier"] == came["sessionIdentifier"]
    assert gone["principalIdentifier"] == came["principalIdentifier"]


@once
def test_nobody_else_publishes_events(room: Room, thing: str) -> None:
    forger = room.backend()
    forger.send(f"$aws/events/presence/disconnected/{thing}", b"{}")
    forger.closed()
