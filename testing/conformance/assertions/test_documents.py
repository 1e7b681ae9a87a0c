"""Documents: assertions 18 to 32."""

import time

import pytest

from harness.documents import leaves, same_shape
from harness.room import Room, next_second
from harness.shadow import Json, Shadow

over_mqtt = pytest.mark.parametrize("via", ["mqtt3", "mqtt5"], indirect=True)

TOLERANCE_S = 5

DEEP: Json = {"config": {"phrase_type": "poetic", "volume": 3}, "on": True, "list": [1, {"x": [2, "y"]}, []]}


def test_18_creation_gives_version_1(shadow: Shadow) -> None:
    assert shadow.report({"a": 1})["version"] == 1
    assert shadow.version == 1


def test_19_accepted_holds_only_what_was_asked(room: Room, shadow: Shadow) -> None:
    shadow.update({"state": {"desired": DEEP, "reported": {"a": 1}}})
    watcher = room.watch(shadow)
    patch = {"config": {"volume": 4}}
    answer = shadow.desire(patch)
    assert answer["state"] == {"desired": patch}
    assert same_shape(answer["metadata"], {"desired": patch})
    assert watcher.only("update/accepted") == answer


def test_20_accepted_has_its_members_and_the_token_if_there_was_one(shadow: Shadow) -> None:
    members = {"state", "metadata", "version", "timestamp"}
    assert set(shadow.desire({"a": 1})) == members
    answer = shadow.desire({"a": 1}, clientToken="app-7")
    assert set(answer) == members | {"clientToken"}
    assert answer["clientToken"] == "app-7"


def test_21_get_has_every_key_and_a_stamp_for_each_leaf(shadow: Shadow) -> None:
    shadow.update({"state": {"desired": DEEP, "reported": {"timestamp": 5, "other": {"x": {}}}}})
    shadow.desire({"more": "later"})
    document = shadow.get()
    stored = {"desired": DEEP | {"more": "later"}, "reported": {"timestamp": 5, "other": {"x": {}}}}
    assert {key: document["state"][key] for key in stored} == stored
    assert same_shape({key: document["metadata"][key] for key in stored}, stored)


def test_22_timestamps_are_seconds_of_now(room: Room, shadow: Shadow) -> None:
    watcher = room.watch(shadow)
    before = time.time()
    answers = [shadow.desire({"a": [1, {"b": 2}]}), shadow.get(), shadow.delete()]
    documents = answers + [body for _, body in watcher.answers()]
    after = time.time()
    stamps = [document["timestamp"] for document in documents]
    stamps += [stamp for document in documents for stamp in leaves(document.get("metadata", {}))]
    assert len(stamps) >= 3 + 4 + 2 * 4
    for stamp in stamps:
        assert type(stamp) is int
        assert before - TOLERANCE_S <= stamp <= after + TOLERANCE_S


def test_23_get_has_a_delta_only_if_there_is_one(shadow: Shadow) -> None:
    shadow.update({"state": {"desired": {"a": 1}, "reported": {"a": 1, "b": 2}}})
    assert "delta" not in shadow.get()["state"]
    shadow.desire({"a": 2})
    assert shadow.get()["state"]["delta"] == {"a": 2}
    shadow.report({"a": 2})
    assert "delta" not in shadow.get()["state"]


def test_24_get_leaves_out_empty_sections(shadow: Shadow) -> None:
    shadow.report({"a": 1})
    assert (set(shadow.get()["state"]), set(shadow.get()["metadata"])) == ({"reported"}, {"reported"})
    shadow.update({"state": {"reported": {"a": None}, "desired": {"b": 1}}})
    assert "reported" not in shadow.get()["state"]
    assert set(shadow.get()["metadata"]) - {"delta"} == {"desired"}
    shadow.update({"state": None})
    document = shadow.get()
    assert (document["state"], document["metadata"]) == ({}, {})


def test_25_delta_messages_hold_the_delta_itself(room: Room, shadow: Shadow) -> None:
    watcher = room.watch(shadow)
    shadow.update({"state": {"desired": {"config": {"a": 1, "b": 2}}, "reported": {"config": {"b": 2}}}})
    assert watcher.only("update/delta")["state"] == {"config": {"a": 1}}


def test_26_delta_metadata_is_that_of_desired(room: Room, shadow: Shadow) -> None:
    wished = shadow.desire({"config": {"a": 1, "b": [2, {"c": 3}]}})
    next_second(shadow, wished["timestamp"])
    watcher = room.watch(shadow)
    reported = shadow.report({"config": {"a": 0}})
    assert reported["timestamp"] > wished["timestamp"]
    delta = watcher.only("update/delta")
    assert delta["metadata"] == wished["metadata"]["desired"]
    assert delta["metadata"] == shadow.get()["metadata"]["desired"]


def test_27_the_messages_of_an_update_share_a_version(room: Room, shadow: Shadow) -> None:
    shadow.report({"a": 1})
    watcher = room.watch(shadow)
    answer = shadow.desire({"a": 2})
    told = dict(watcher.answers())
    assert answer["version"] == 2
    assert told["update/accepted"]["version"] == 2
    assert told["update/delta"]["version"] == 2
    assert told["update/documents"]["current"]["version"] == 2


def test_28_documents_are_whole_and_consecutive(room: Room, shadow: Shadow) -> None:
    first = {"desired": {"a": 1}, "reported": DEEP}
    shadow.update({"state": first})
    watcher = room.watch(shadow)
    shadow.desire({"b": 2})
    documents = watcher.only("update/documents")
    previous, current = documents["previous"], documents["current"]
    second = first | {"desired": {"a": 1, "b": 2}}
    assert (previous["state"], current["state"]) == (first, second)
    assert same_shape(previous["metadata"], first)
    assert same_shape(current["metadata"], second)
    assert (previous["version"], current["version"]) == (1, 2)
    assert type(documents["timestamp"]) is int


def test_29_documents_of_a_creation_have_no_previous(room: Room, shadow: Shadow) -> None:
    watcher = room.watch(shadow)
    shadow.desire({"a": 1})
    documents = watcher.only("update/documents")
    assert documents.get("previous") is None
    assert documents["current"]["state"] == {"desired": {"a": 1}}


def test_30_metadata_of_an_array_is_an_array_as_long(shadow: Shadow) -> None:
    array = [1, {"x": "y"}, [2, 3], [], {}]
    answer = shadow.desire({"list": array})
    for metadata in [answer["metadata"], shadow.get()["metadata"]]:
        stamps = metadata["desired"]["list"]
        assert type(stamps) is list and len(stamps) == len(array)
        assert same_shape(stamps, array)


def test_31_the_token_is_echoed(room: Room, shadow: Shadow) -> None:
    watcher = room.watch(shadow)
    assert shadow.desire({"a": 1}, clientToken="u-1")["clientToken"] == "u-1"
    told = dict(watcher.answers())
    assert told["update/accepted"]["clientToken"] == "u-1"
    assert told["update/delta"]["clientToken"] == "u-1"
    if room.via != "http":
        assert shadow.get({"clientToken": "g-1"})["clientToken"] == "g-1"
        assert "clientToken" not in shadow.get()
        assert shadow.delete({"clientToken": "d-1"})["clientToken"] == "d-1"


@over_mqtt
def test_32_rejections_echo_a_valid_token(shadow: Shadow) -> None:
    def token(verb: str, document: Json) -> Json:
        return shadow.refused(document, verb).body.get("clientToken")

    assert token("get", {"clientToken": "g-1"}) == "g-1"
    assert token("delete", {"clientToken": "d-1"}) == "d-1"
    assert token("update", {"clientToken": "u-1"}) == "u-1"
    assert token("update", {"clientToken": "u-2", "state": {"desired": 1}}) == "u-2"
    assert token("update", {"clientToken": "u-3", "state": {}, "version": 9}) == "u-3"
    assert token("update", {"clientToken": "u-4", "state": {"desired": {"a": "x" * 9000}}}) == "u-4"
    assert token("update", b'{"clientToken": "u-5", ') is None
