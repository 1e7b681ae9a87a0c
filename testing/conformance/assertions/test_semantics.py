"""Semantics: assertions 33 to 47."""

import pytest

from harness.room import Room, next_second
from harness.shadow import Json, Shadow


def state(shadow: Shadow) -> Json:
    return shadow.get()["state"]


def test_33_other_keys_stay(shadow: Shadow) -> None:
    shadow.desire({"config": {"phrase_type": "classic", "volume": 3}, "on": True})
    shadow.desire({"config": {"phrase_type": "poetic"}})
    assert state(shadow)["desired"] == {"config": {"phrase_type": "poetic", "volume": 3}, "on": True}


def test_34_null_deletes_that_key_only(shadow: Shadow) -> None:
    shadow.desire({"config": {"a": 1, "b": 2}, "c": 3})
    shadow.desire({"config": {"a": None, "absent": None}})
    document = shadow.get()
    assert document["state"]["desired"] == {"config": {"b": 2}, "c": 3}
    assert set(document["metadata"]["desired"]["config"]) == {"b"}


def test_35_null_desired_goes_with_its_delta(room: Room, shadow: Shadow) -> None:
    shadow.update({"state": {"desired": {"a": 1}, "reported": {"a": 2}}})
    watcher = room.watch(shadow)
    shadow.desire(None)
    assert state(shadow) == {"reported": {"a": 2}}
    assert "update/delta" not in watcher.kinds()


def test_36_null_reported_opens_the_whole_delta(room: Room, shadow: Shadow) -> None:
    desired = {"a": 1, "b": {"c": 2}}
    shadow.update({"state": {"desired": desired, "reported": desired}})
    watcher = room.watch(shadow)
    shadow.report(None)
    assert state(shadow) == {"desired": desired, "delta": desired}
    assert watcher.only("update/delta")["state"] == desired


def test_37_null_state_empties_the_shadow_and_keeps_it(shadow: Shadow) -> None:
    shadow.update({"state": {"desired": {"a": 1}, "reported": {"a": 2}}})
    assert shadow.update({"state": None})["version"] == 2
    document = shadow.get()
    assert (document["state"], document["version"]) == ({}, 2)


def test_38_arrays_are_replaced_whole(shadow: Shadow) -> None:
    shadow.desire({"list": [1, 2, {"a": 1, "b": 2}]})
    shadow.desire({"list": [{"a": 3}]})
    assert state(shadow)["desired"] == {"list": [{"a": 3}]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (1, {"x": {"y": 2}}),
        ({"x": {"y": 2}}, "text"),
        ([1], {"x": 1}),
        ({"x": 1}, [1]),
        ("text", [1]),
        ([1], False),
    ],
)
def test_39_values_of_other_types_replace(shadow: Shadow, before: Json, after: Json) -> None:
    shadow.desire({"a": before, "b": 1})
    shadow.desire({"a": after})
    assert state(shadow)["desired"] == {"a": after, "b": 1}


def test_40_stamps_of_keys_not_named_stay(shadow: Shadow) -> None:
    first = shadow.update({"state": {"desired": {"a": 1, "b": {"c": 2, "d": 3}}, "reported": {"a": 1}}})
    next_second(shadow, first["timestamp"])
    second = shadow.desire({"a": 1, "b": {"c": 4}})
    assert second["timestamp"] > first["timestamp"]
    old, new = {"timestamp": first["timestamp"]}, {"timestamp": second["timestamp"]}
    metadata = shadow.get()["metadata"]
    # Named keys are stamped even if their value stays.
    assert metadata["desired"] == {"a": new, "b": {"c": new, "d": old}}
    assert metadata["reported"] == {"a": old}


def test_41_keys_never_reported_are_in_the_delta(shadow: Shadow) -> None:
    shadow.update({"state": {"desired": {"a": 1, "b": {"c": 2}, "e": {}}, "reported": {"a": 1}}})
    assert state(shadow)["delta"] == {"b": {"c": 2}, "e": {}}


def test_42_keys_only_reported_are_not_in_the_delta(shadow: Shadow) -> None:
    shadow.update({"state": {"desired": {"a": {"x": 1}}, "reported": {"a": {"x": 2, "y": 3}, "b": 4}}})
    assert state(shadow)["delta"] == {"a": {"x": 1}}


def test_43_a_nested_delta_has_only_leaves_that_differ(shadow: Shadow) -> None:
    desired = {"a": {"b": {"c": 1, "d": 2}, "e": 3}, "f": {"g": 4}}
    reported = {"a": {"b": {"c": 1, "d": 9}, "e": 3}, "f": {"g": 4}}
    shadow.update({"state": {"desired": desired, "reported": reported}})
    assert state(shadow)["delta"] == {"a": {"b": {"d": 2}}}


@pytest.mark.parametrize("reported", [[1, 2], [1, {"x": 2}], [{"x": 2}, 1, 3], {"0": 1}, 1])
def test_44_arrays_that_differ_are_whole_in_the_delta(shadow: Shadow, reported: Json) -> None:
    desired = [1, {"x": 2}, 3]
    shadow.update({"state": {"desired": {"list": desired, "b": 1}, "reported": {"list": reported, "b": 1}}})
    assert state(shadow)["delta"] == {"list": desired}
    shadow.report({"list": desired})
    assert "delta" not in state(shadow)


def test_45_no_delta_message_when_both_sides_agree(room: Room, shadow: Shadow) -> None:
    watcher = room.watch(shadow)
    shadow.desire({"a": 1})
    assert watcher.kinds().count("update/delta") == 1
    shadow.report({"a": 1, "b": 2})
    assert sorted(watcher.kinds()) == ["update/accepted", "update/documents"]


def test_46_a_delta_has_earlier_differences_too(room: Room, shadow: Shadow) -> None:
    shadow.desire({"a": 1})
    shadow.desire({"b": {"c": 2}})
    watcher = room.watch(shadow)
    shadow.desire({"b": {"d": 3}})
    assert watcher.only("update/delta")["state"] == {"a": 1, "b": {"c": 2, "d": 3}}
    shadow.report({"e": 4})
    assert watcher.only("update/delta")["state"] == {"a": 1, "b": {"c": 2, "d": 3}}


def test_47_an_identical_update_raises_the_version(shadow: Shadow) -> None:
    assert [shadow.desire({"a": 1})["version"] for _ in range(3)] == [1, 2, 3]
    assert shadow.update({"state": {}})["version"] == 4
    assert shadow.get()["state"]["desired"] == {"a": 1}
