"""What a device may do, and who is told of it: assertions 71 and 72."""

import pytest
from botocore.exceptions import ClientError

from harness.aws import certificate_client
from harness.presence import Presence
from harness.room import Room
from harness.shadow import ShadowId, fresh_thing, payload_of

over_mqtt = pytest.mark.parametrize("via", ["mqtt3", "mqtt5"], indirect=True)
over_http = pytest.mark.parametrize("via", ["http"], indirect=True)

WISH = payload_of({"state": {"desired": {"a": 1}}})

DENIED = {"mqtt3": 0x80, "mqtt5": 0x87}


@over_mqtt
def test_71_a_device_does_not_hear_another_thing(room: Room) -> None:
    thing = fresh_thing()
    own, other = ShadowId(thing), ShadowId(fresh_thing())
    device = room.device(thing)
    foreign = [
        other.topic("#"),
        other.topic("update/delta"),
        other.topic("get/accepted"),
        ShadowId(other.thing, "cfg").topic("get/+"),
        "$aws/things/+/shadow/#",
        f"$aws/things/{thing}/#",
        "$aws/#",
    ]
    granted = device.subscribe(own.topic("#"), *foreign)
    assert granted == [1] + [DENIED[room.via]] * len(foreign)
    shadow = room.shadow(thing=other.thing)
    shadow.desire({"a": 1})
    device.publish(own.topic("get"))
    heard = device.until(lambda message: message.topic == own.topic("get/rejected"))
    # The request itself may come before its answer or after.
    assert [message.topic for message in heard if message.topic != own.topic("get")] == []


@over_mqtt
@pytest.mark.parametrize("verb", ["update", "get", "delete"])
def test_71_a_device_does_not_ask_for_another_thing(room: Room, verb: str) -> None:
    victim = room.shadow()
    victim.desire({"secret": 1})
    watcher = room.watch(victim)
    device = room.device(fresh_thing())
    if room.via == "mqtt5":
        assert device.publish(victim.id.topic(verb), WISH) == DENIED["mqtt5"]
    else:
        device.send(victim.id.topic(verb), WISH)
        device.closed()
    assert watcher.all() == []
    assert (victim.version, victim.get()["state"]["desired"]) == (1, {"secret": 1})


@over_http
def test_71_a_device_does_not_reach_another_thing_over_http(room: Room) -> None:
    victim = room.shadow()
    victim.desire({"secret": 1})
    device = certificate_client(room.server, room.server.device(fresh_thing()))
    which = {"thingName": victim.id.thing}
    for call, more in [
        (device.get_thing_shadow, {}),
        (device.update_thing_shadow, {"payload": WISH}),
        (device.delete_thing_shadow, {}),
        (device.list_named_shadows_for_thing, {}),
    ]:
        with pytest.raises(ClientError) as refused:
            call(**which, **more)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert (victim.version, victim.get()["state"]["desired"]) == (1, {"secret": 1})


@over_mqtt
def test_72_coming_and_going_are_told_with_equal_numbers(room: Room) -> None:
    thing = fresh_thing()
    presence = Presence(room.backend())
    device = room.device(thing)
    came = presence.next("connected", thing)
    device.disconnect()
    went = presence.next("disconnected", thing)
    assert came["sessionIdentifier"] == went["sessionIdentifier"]
    assert came["versionNumber"] == went["versionNumber"]
    room.device(thing)
    again = presence.next("connected", thing)
    assert again["sessionIdentifier"] != came["sessionIdentifier"]
    assert again["versionNumber"] > came["versionNumber"]
