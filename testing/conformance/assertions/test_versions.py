"""Versions and deletion: assertions 48 to 55."""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.room import Room
from harness.server import Server
from harness.shadow import Answer, Json, Shadow

RIVALS = 20


def test_48_the_current_version_is_accepted(shadow: Shadow) -> None:
    shadow.desire({"a": 1})
    assert shadow.desire({"a": 2}, version=1)["version"] == 2
    assert shadow.desire({"a": 3}, version=2)["version"] == 3


def conflicts(shadow: Shadow, version: int) -> None:
    answer = shadow.refused({"state": {"desired": {"a": 99}}, "version": version})
    assert (answer.code, answer.message) == (409, "Version conflict")
    document = shadow.get()
    assert (document["version"], document["state"]["desired"]) == (3, {"a": 3})


def test_49_a_lower_version_conflicts(shadow: Shadow) -> None:
    for value in [1, 2, 3]:
        shadow.desire({"a": value})
    for version in [2, 1, 0]:
        conflicts(shadow, version)


def test_50_a_higher_version_conflicts(shadow: Shadow) -> None:
    for value in [1, 2, 3]:
        shadow.desire({"a": value})
    for version in [4, 2**53]:
        conflicts(shadow, version)


def test_51_of_parallel_updates_with_one_version_one_wins(room: Room, shadow: Shadow) -> None:
    shadow.desire({"winner": None})
    rivals = [Shadow(shadow.id, room.requester(shadow.id.thing)) for _ in range(RIVALS)]

    def compete(number: int) -> Answer:
        document: Json = {
            "state": {"desired": {"winner": number}},
            "version": 1,
            "clientToken": f"r-{number}",
        }
        return rivals[number].ask("update", document)

    with ThreadPoolExecutor(RIVALS) as pool:
        answers = list(pool.map(compete, range(RIVALS)))
    winners = [number for number, answer in enumerate(answers) if answer.accepted]
    assert len(winners) == 1
    assert {answer.code for answer in answers if not answer.accepted} == {409}
    document = shadow.get()
    assert (document["version"], document["state"]["desired"]) == (2, {"winner": winners[0]})


def test_52_delete_answers_the_deleted_version(shadow: Shadow) -> None:
    shadow.desire({"a": 1})
    shadow.desire({"a": 2})
    answer = shadow.delete()
    assert set(answer) == {"version", "timestamp"}
    assert answer["version"] == 2
    assert shadow.refused(None, verb="get").code == 404


def test_53_a_missing_shadow_cannot_be_deleted(shadow: Shadow) -> None:
    missing = shadow.refused(None, verb="delete")
    assert missing.code == 404
    assert missing.message and missing.message.startswith("No shadow exists with name")
    shadow.desire({"a": 1})
    shadow.delete()
    assert shadow.refused(None, verb="delete").code == 404


def test_54_a_new_shadow_counts_on_and_has_nothing_of_the_old(shadow: Shadow) -> None:
    shadow.update({"state": {"desired": {"a": 1}, "reported": {"a": 2}}})
    deleted = shadow.delete()["version"]
    assert shadow.refused({"state": {"desired": {"b": 1}}, "version": deleted}).code == 409
    created = shadow.desire({"b": 1})["version"]
    assert created > deleted
    document = shadow.get()
    assert document["state"] == {"desired": {"b": 1}, "delta": {"b": 1}}
    assert set(document["metadata"]["desired"]) == {"b"}
    assert shadow.desire({"b": 2})["version"] == created + 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["terminated", "killed"])
def test_55_versions_and_state_survive_a_restart(
    fresh_database: Callable[[], str | None], tmp_path: Path, via: str, how: signal.Signals
) -> None:
    server = Server(tmp_path, fresh_database())
    before = Room(server, via)
    kept, gone = before.shadow(), before.shadow("cfg")
    kept.desire({"a": [1, {"b": 2}]})
    kept.report({"a": 3})
    was = kept.get()
    gone.desire({"a": 1})
    deleted = gone.delete()["version"]
    server.end(how)
    before.close()
    server.start()

    after = Room(server, via)
    kept, gone = after.shadow(kept.id.name, kept.id.thing), after.shadow(gone.id.name, gone.id.thing)
    now = kept.get()
    for member in ["state", "metadata", "version"]:
        assert now[member] == was[member]
    assert gone.refused(None, verb="get").code == 404
    assert gone.desire({"b": 1})["version"] > deleted
    assert kept.desire({"a": 1})["version"] == was["version"] + 1
    after.close()
    assert server.end(signal.SIGTERM) == 0
