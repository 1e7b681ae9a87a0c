"""The vendor's device SDK for Python, version 2: its shadow client, on the flow of its own sample."""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any, TypeAlias

import pytest
from awscrt import mqtt, mqtt5, mqtt_request_response
from awsiot import (
    ServiceStreamOptions,
    V2ServiceException,
    iotshadow,
    mqtt5_client_builder,
    mqtt_connection_builder,
)

from harness import PATIENCE_S
from harness.inbox import Inbox
from harness.server import Server
from harness.shadow import fresh_thing

Protocol: TypeAlias = mqtt.Connection | mqtt5.Client

OPTIONS = mqtt_request_response.ClientOptions(
    max_request_response_subscriptions=4,
    max_streaming_subscriptions=2,
    operation_timeout_in_seconds=int(PATIENCE_S),
)


def arguments(server: Server, thing: str) -> dict[str, Any]:
    """How a device connects, as its folder says."""
    identity = server.device(thing)
    return {
        "endpoint": "localhost",
        "port": server.port("mqtts"),
        "cert_filepath": str(identity.certificate),
        "pri_key_filepath": str(identity.key),
        "ca_filepath": str(identity.authority),
        "client_id": thing,
    }


def connected_3(server: Server, thing: str) -> Iterator[mqtt.Connection]:
    connection = mqtt_connection_builder.mtls_from_path(
        clean_session=True, keep_alive_secs=30, **arguments(server, thing)
    )
    connection.connect().result(PATIENCE_S)
    yield connection
    connection.disconnect().result(PATIENCE_S)


def connected_5(server: Server, thing: str) -> Iterator[mqtt5.Client]:
    up: Future[None] = Future()
    down: Future[None] = Future()
    client = mqtt5_client_builder.mtls_from_path(
        on_lifecycle_connection_success=lambda _: up.set_result(None),
        on_lifecycle_stopped=lambda _: down.set_result(None),
        **arguments(server, thing),
    )
    client.start()
    up.result(PATIENCE_S)
    yield client
    client.stop()
    down.result(PATIENCE_S)


@pytest.fixture
def thing() -> str:
    return fresh_thing()


@pytest.fixture(params=[connected_3, connected_5], ids=["mqtt3", "mqtt5"])
def protocol(server: Server, thing: str, request: pytest.FixtureRequest) -> Iterator[Protocol]:
    yield from request.param(server, thing)


@pytest.fixture(params=[None, "cfg"], ids=["classic", "named"])
def calls(request: pytest.FixtureRequest, protocol: Protocol, thing: str) -> "Calls":
    return Calls(protocol, thing, request.param)


class Calls:
    """The client's calls, for a classic and for a named shadow: the SDK has a name for each."""

    def __init__(self, protocol: Protocol, thing: str, name: str | None) -> None:
        self._client = iotshadow.IotShadowClientV2(protocol, OPTIONS)
        self._kind = "named_shadow" if name else "shadow"
        self._which = {"thing_name": thing} | ({"shadow_name": name} if name else {})

    def request(self, verb: str, **members: Any) -> Any:
        kind = "NamedShadow" if "shadow_name" in self._which else "Shadow"
        request = getattr(iotshadow, f"{verb.capitalize()}{kind}Request")(**self._which, **members)
        return getattr(self._client, f"{verb}_{self._kind}")(request).result(PATIENCE_S)

    def update(self, **state: Any) -> Any:
        return self.request("update", state=iotshadow.ShadowState(**state))

    def refused(self, verb: str, **members: Any) -> Any:
        with pytest.raises(V2ServiceException) as refused:
            self.request(verb, **members)
        return refused.value.modeled_error

    def stream(self, what: str, request_name: str, events: Inbox[Any]) -> Any:
        """Opens a stream and waits until the server has it."""
        established: Future[None] = Future()

        def status(event: mqtt_request_response.SubscriptionStatusEvent) -> None:
            if event.type == mqtt_request_response.SubscriptionStatusEventType.SUBSCRIPTION_ESTABLISHED:
                established.set_result(None)

        options: ServiceStreamOptions[Any] = ServiceStreamOptions(
            incoming_event_listener=events.put,
            subscription_status_listener=status,
            deserialization_failure_listener=events.put,
        )
        kind = "Named" if "shadow_name" in self._which else ""
        request = getattr(iotshadow, f"{kind}{request_name}SubscriptionRequest")(**self._which)
        stream = getattr(self._client, f"create_{self._kind}_{what}_stream")(request, options)
        stream.open()
        established.result(PATIENCE_S)
        return stream


def test_the_samples_flow(calls: Calls) -> None:
    deltas: Inbox[Any] = Inbox()
    documents: Inbox[Any] = Inbox()
    streams = [
        calls.stream("delta_updated", "ShadowDeltaUpdated", deltas),
        calls.stream("updated", "ShadowUpdated", documents),
    ]
    missing = calls.refused("get")
    assert missing.code == 404
    assert missing.message.startswith("No shadow exists with name")

    assert calls.update(desired={"color": "green"}).version == 1
    delta = deltas.next()
    assert (delta.state, delta.version) == ({"color": "green"}, 1)
    created = documents.next()
    assert created.previous is None
    assert created.current.state.desired == {"color": "green"}

    answer = calls.update(reported={"color": "green"})
    assert (answer.version, answer.state.reported, answer.state.desired) == (2, {"color": "green"}, None)
    changed = documents.next()
    assert (changed.previous.version, changed.current.version) == (1, 2)
    assert changed.current.state.reported == {"color": "green"}

    document = calls.request("get")
    assert document.state.desired == document.state.reported == {"color": "green"}
    assert document.state.delta is None
    assert document.version == 2
    assert list(document.metadata.desired) == ["color"]
    assert document.timestamp is not None

    conflict = calls.refused("update", state=iotshadow.ShadowState(desired={"color": "red"}), version=1)
    assert (conflict.code, conflict.message) == (409, "Version conflict")

    assert calls.update(desired={"color": "blue"}).version == 3
    # Nothing came between: the two updates before opened no delta.
    assert deltas.next().state == {"color": "blue"}

    assert calls.request("delete").version == 3
    assert calls.refused("delete").code == 404
    assert calls.refused("get").code == 404
    del streams


def test_null_clears_a_section(calls: Calls) -> None:
    calls.update(desired={"a": 1}, reported={"b": 2})
    cleared = iotshadow.ShadowState(reported_is_nullable=True, reported=None)
    calls.request("update", state=cleared)
    document = calls.request("get")
    assert document.state.reported is None
    assert document.state.desired == document.state.delta == {"a": 1}
