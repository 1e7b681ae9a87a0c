"""What boto3 does with an access key beyond the four shadow operations."""

import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from harness.aws import client_with_key, key_client
from harness.room import Room
from harness.server import Server
from harness.shadow import Json, fresh_thing, payload_of

over_http = pytest.mark.parametrize("via", ["http"], indirect=True)

WISH: Json = {"state": {"desired": {"a": 1}}, "clientToken": "published"}


def refused(call: Any, **arguments: Any) -> int:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    status: int = error.value.response["ResponseMetadata"]["HTTPStatusCode"]
    return status


@over_http
@pytest.mark.parametrize("qos", [0, 1])
def test_publish_on_a_request_topic_is_a_request(room: Room, qos: int) -> None:
    shadow = room.shadow()
    watcher = room.watch(shadow)
    key_client(room.server).publish(topic=shadow.id.topic("update"), qos=qos, payload=payload_of(WISH))
    accepted = watcher.mqtt.next_on(shadow.id.topic("update/accepted")).body
    assert (accepted["version"], accepted["clientToken"]) == (1, "published")
    assert shadow.get()["state"]["desired"] == {"a": 1}


@over_http
def test_publish_forges_no_answer(room: Room) -> None:
    shadow = room.shadow()
    watcher = room.watch(shadow)
    publish = key_client(room.server).publish
    assert refused(publish, topic=shadow.id.topic("update/accepted"), payload=b"{}") in (400, 403)
    assert watcher.all() == []


def test_a_wrong_secret_is_forbidden(server: Server) -> None:
    key = server.access_key
    client = client_with_key(server, key | {"secret_access_key": "x" * len(key["secret_access_key"])})
    assert refused(client.get_thing_shadow, thingName=fresh_thing()) == 403


def test_a_key_for_one_thing_reaches_no_other(server: Server) -> None:
    own, other = fresh_thing(), fresh_thing()
    client = client_with_key(server, server.new_access_key("--thing", own))
    client.update_thing_shadow(thingName=own, payload=payload_of(WISH))
    assert refused(client.update_thing_shadow, thingName=other, payload=payload_of(WISH)) == 403
    assert refused(client.get_thing_shadow, thingName=other) == 403


def test_a_presigned_url_reads(server: Server) -> None:
    client, thing = key_client(server), fresh_thing()
    client.update_thing_shadow(thingName=thing, payload=payload_of(WISH))
    url = client.generate_presigned_url("get_thing_shadow", {"thingName": thing}, ExpiresIn=60)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url) as answer:
        assert answer.status == 200
        assert b'"version":1' in answer.read()
