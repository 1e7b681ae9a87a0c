"""The data plane over HTTP, by boto3: assertions 67 to 70."""

from typing import Any

import pytest

from harness.aws import key_client
from harness.room import Room
from harness.server import Server
from harness.shadow import Json, fresh_thing, payload_of

over_http = pytest.mark.parametrize("via", ["http"], indirect=True)

ODD = "$cfg:a_b-C"


@pytest.fixture
def thing() -> str:
    return fresh_thing()


@pytest.fixture
def client(server: Server, thing: str) -> Any:
    return key_client(server)


def create(client: Any, thing: str, *names: str) -> None:
    for name in names:
        client.update_thing_shadow(thingName=thing, shadowName=name, payload=payload_of({"state": {}}))


def pages(client: Any, thing: str, size: int) -> list[list[str]]:
    """Every page of the list."""
    found: list[list[str]] = []
    token: Json = {}
    while len(found) < 20:
        page = client.list_named_shadows_for_thing(thingName=thing, pageSize=size, **token)
        found.append(page["results"])
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    return found


@pytest.mark.parametrize("name", [None, ODD])
def test_67_boto3_does_all_four_operations(client: Any, thing: str, name: str | None) -> None:
    which: Json = {"thingName": thing} | ({"shadowName": name} if name else {})
    document = payload_of({"state": {"desired": {"a": "ä"}}, "clientToken": "t"})
    answer = client.update_thing_shadow(payload=document, **which)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "application/json"
    assert answer["ResponseMetadata"]["RequestId"]
    assert b'"version":1' in answer["payload"].read()
    assert "ä".encode() in client.get_thing_shadow(**which)["payload"].read()
    listed = client.list_named_shadows_for_thing(thingName=thing)
    assert listed["results"] == ([name] if name else [])
    assert type(listed["timestamp"]) is int
    assert b'"version":1' in client.delete_thing_shadow(**which)["payload"].read()
    assert client.list_named_shadows_for_thing(thingName=thing)["results"] == []


@over_http
@pytest.mark.parametrize("name", [None, "cfg"])
def test_68_errors_are_boto3s_exceptions(room: Room, name: str | None) -> None:
    shadow = room.shadow(name)
    called = shadow.id.thing if name is None else f"{shadow.id.thing}~{name}"
    missing = shadow.refused(None, verb="get")
    assert missing.error == "ResourceNotFoundException"
    assert missing.message and missing.message.startswith("No shadow exists with name")
    assert missing.message in (
        f"No shadow exists with name: '{called}'",
        f"No shadow exists with name: '{name}'",
    )
    assert shadow.refused(None, verb="delete").error == "ResourceNotFoundException"
    shadow.update({"state": {}})

    def error(document: Json) -> tuple[str | None, str | None]:
        answer = shadow.refused(document)
        return answer.error, answer.message

    assert error({"state": {}, "version": 9}) == ("ConflictException", "Version conflict")
    assert error({}) == ("InvalidRequestException", "Missing required node: state")
    too_large = ("RequestEntityTooLargeException", "The payload exceeds the maximum size allowed")
    assert error({"state": {"desired": {"a": "x" * 9_000}}}) == too_large
    assert error(b"x" * 200_000) == too_large
    encoding = "Unsupported documented encoding; supported encoding is UTF-8"
    assert error(b"\xff") == ("UnsupportedDocumentEncodingException", encoding)


def test_69_the_list_has_each_name_once_and_never_the_classic_one(client: Any, thing: str) -> None:
    names = [f"shadow-{number}" for number in range(7)]
    create(client, thing, *names, ODD, "gone")
    client.update_thing_shadow(thingName=thing, payload=payload_of({"state": {}}))
    client.delete_thing_shadow(thingName=thing, shadowName="gone")
    for size in [1, 3, 8, 100]:
        found = pages(client, thing, size)
        assert all(1 <= len(page) <= size for page in found)
        assert sorted(name for page in found for name in page) == sorted([*names, ODD])
    assert len(pages(client, thing, 3)) == 3
    with pytest.raises(client.exceptions.InvalidRequestException):
        client.list_named_shadows_for_thing(thingName=thing, nextToken="garbage")
    with pytest.raises(client.exceptions.InvalidRequestException):
        client.list_named_shadows_for_thing(thingName=thing, pageSize=101)


def test_70_the_list_of_an_unknown_thing_is_empty(client: Any, thing: str) -> None:
    listed = client.list_named_shadows_for_thing(thingName=thing)
    assert listed["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert listed["results"] == []
    assert "nextToken" not in listed
