"""Errors and limits: assertions 56 to 66."""

import pytest

from harness.room import Room
from harness.shadow import Json, Shadow

over_mqtt = pytest.mark.parametrize("via", ["mqtt3", "mqtt5"], indirect=True)


def bad(shadow: Shadow, document: Json, message: str) -> None:
    """Refused with exactly this message."""
    answer = shadow.refused(document)
    assert (answer.code, answer.message) == (400, message)


def nested(levels: int) -> Json:
    """An object with that many levels of keys."""
    inner: Json = "deep"
    for level in range(levels, 0, -1):
        inner = {f"k{level}": inner}
    return inner


@pytest.mark.parametrize("document", [{}, {"desired": {"a": 1}}, {"clientToken": "t", "version": 1}])
def test_56_without_state(shadow: Shadow, document: Json) -> None:
    bad(shadow, document, "Missing required node: state")


@pytest.mark.parametrize("state", ["text", 1, True, [], [{"desired": {}}]])
def test_57_state_is_no_object(shadow: Shadow, state: Json) -> None:
    bad(shadow, {"state": state}, "State node must be an object")


@pytest.mark.parametrize("section", ["desired", "reported"])
@pytest.mark.parametrize("value", ["text", 1, False, [{"a": 1}]])
def test_58_a_section_is_no_object(shadow: Shadow, section: str, value: Json) -> None:
    bad(shadow, {"state": {section: value}}, f"{section.capitalize()} node must be an object")


@pytest.mark.parametrize(
    "payload", [b"{", b'{"state":{"desired":{"a":1}}', b"state", b"{'state':{}}", b'{"state":{},}']
)
def test_59_broken_json(shadow: Shadow, payload: bytes) -> None:
    bad(shadow, payload, "Invalid JSON")


@pytest.mark.parametrize("token", ["x" * 65, "é" * 33, 7, None, ["t"], {}])
def test_60_a_token_too_long_or_no_string(shadow: Shadow, token: Json) -> None:
    bad(shadow, {"state": {}, "clientToken": token}, "Invalid clientToken")
    for fits in ["x" * 64, "é" * 32]:
        assert shadow.update({"state": {}, "clientToken": fits})["clientToken"] == fits


@pytest.mark.parametrize("version", ["1", "text", [1], {}])
def test_61_version_is_no_number(shadow: Shadow, version: Json) -> None:
    shadow.update({"state": {}})
    bad(shadow, {"state": {}, "version": version}, "Invalid version")


@pytest.mark.parametrize("key", ["delta", "wished", "Desired"])
def test_62_an_unknown_key_in_state(shadow: Shadow, key: str) -> None:
    answer = shadow.refused({"state": {"desired": {"a": 1}, key: {"a": 1}}})
    assert answer.code == 400
    assert answer.message and answer.message.startswith("State contains an invalid node")
    assert shadow.refused(None, verb="get").code == 404


@pytest.mark.parametrize("value", [[None], [1, [None]], [{"a": None}], {"b": [1, None]}])
def test_63_null_in_an_array(shadow: Shadow, value: Json) -> None:
    assert shadow.refused({"state": {"desired": {"list": value}}}).code == 400
    assert shadow.refused({"state": {"reported": {"list": value}}}).code == 400


@pytest.mark.parametrize("section", ["desired", "reported"])
def test_64_nine_levels_are_too_many_and_six_are_not(shadow: Shadow, section: str) -> None:
    shadow.update({"state": {section: nested(6)}})
    bad(shadow, {"state": {section: nested(9)}}, "JSON contains too many levels of nesting; maximum is 6")
    assert shadow.get()["state"][section] == nested(6)


def test_65_more_than_8192_bytes_are_too_many_and_7_kb_are_not(shadow: Shadow) -> None:
    shadow.desire({"a": "x" * 7_000})
    # Together it counts, whichever request brought it.
    answer = shadow.refused({"state": {"reported": {"b": "x" * 1_300}}})
    assert (answer.code, answer.message) == (413, "The payload exceeds the maximum size allowed")
    assert shadow.refused({"state": {"desired": {"a": "x" * 8_300}}}).code == 413
    document = shadow.get()
    assert (document["version"], len(document["state"]["desired"]["a"])) == (1, 7_000)


@over_mqtt
def test_66_error_documents_have_a_number_and_a_text(room: Room, shadow: Shadow) -> None:
    watcher = room.watch(shadow)
    shadow.refused(None, verb="get")
    shadow.refused(None, verb="delete")
    for document in [
        b"\xff\xfe",
        b"{",
        {"state": 1},
        {"state": {}, "version": 5},
        {"state": {"desired": {"a": "x" * 9_000}}},
    ]:
        shadow.refused(document)
    errors = [body for _, body in watcher.answers()]
    assert [error["code"] for error in errors] == [404, 404, 415, 400, 400, 409, 413]
    for error in errors:
        assert type(error["code"]) is int
        assert type(error["message"]) is str and error["message"]
