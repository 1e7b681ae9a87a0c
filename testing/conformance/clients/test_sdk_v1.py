"""The vendor's device SDK for Python, version 1. It sleeps two seconds for every subscription: OTARU_SLOW=1."""

import json
import os
from typing import Any

import pytest

from harness import PATIENCE_S
from harness.inbox import Inbox
from harness.server import Server
from harness.shadow import fresh_thing

pytestmark = pytest.mark.skipif(os.environ.get("OTARU_SLOW") != "1", reason="slow: only with OTARU_SLOW=1")


class Asked:
    """Requests whose answer comes to a callback as text, status and token."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler
        self._answers: Inbox[tuple[str, str]] = Inbox()

    def _answer(self, text: str, status: str, _token: str) -> None:
        self._answers.put((status, text))

    def get(self) -> tuple[str, str]:
        self._handler.shadowGet(self._answer, int(PATIENCE_S))
        return self._answers.next()

    def update(self, document: Any) -> tuple[str, str]:
        self._handler.shadowUpdate(json.dumps(document), self._answer, int(PATIENCE_S))
        return self._answers.next()

    def delete(self) -> tuple[str, str]:
        self._handler.shadowDelete(self._answer, int(PATIENCE_S))
        return self._answers.next()


def test_get_update_delta_and_delete(server: Server) -> None:
    from AWSIoTPythonSDK.MQTTLib import AWSIoTMQTTShadowClient

    thing = fresh_thing()
    identity = server.device(thing)
    client = AWSIoTMQTTShadowClient(thing)
    client.configureEndpoint("localhost", server.port("mqtts"))
    client.configureCredentials(str(identity.authority), str(identity.key), str(identity.certificate))
    client.configureMQTTOperationTimeout(PATIENCE_S)
    assert client.connect()
    # Persistent subscriptions: without, a thread of its own still unsubscribes when we have gone.
    handler = client.createShadowHandlerWithName(thing, True)
    asked = Asked(handler)

    assert asked.get()[0] == "rejected"
    deltas: Inbox[str] = Inbox()
    handler.shadowRegisterDeltaCallback(lambda text, _status, _token: deltas.put(text))
    status, text = asked.update({"state": {"desired": {"color": "green"}}})
    assert (status, json.loads(text)["version"]) == ("accepted", 1)
    # It drops a delta that comes after the accepted of its version.
    assert json.loads(deltas.next())["state"] == {"color": "green"}
    status, text = asked.get()
    assert (status, json.loads(text)["state"]["desired"]) == ("accepted", {"color": "green"})
    assert asked.update({"state": {}, "version": 7})[0] == "rejected"
    assert asked.delete()[0] == "accepted"
    assert asked.get()[0] == "rejected"
    assert client.disconnect()
