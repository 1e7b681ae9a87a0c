"""The same SDK in its older style: subscribe to each topic, then publish."""

from collections.abc import Iterator
from typing import Any

import pytest
from awscrt import mqtt
from awsiot import iotshadow, mqtt_connection_builder

from harness import PATIENCE_S
from harness.inbox import Inbox
from harness.server import Server
from harness.shadow import fresh_thing

AT_LEAST_ONCE = mqtt.QoS.AT_LEAST_ONCE


@pytest.fixture
def thing() -> str:
    return fresh_thing()


@pytest.fixture
def client(server: Server, thing: str) -> Iterator[iotshadow.IotShadowClient]:
    identity = server.device(thing)
    connection = mqtt_connection_builder.mtls_from_path(
        endpoint="localhost",
        port=server.port("mqtts"),
        cert_filepath=str(identity.certificate),
        pri_key_filepath=str(identity.key),
        ca_filepath=str(identity.authority),
        client_id=thing,
        clean_session=False,
        keep_alive_secs=30,
    )
    connection.connect().result(PATIENCE_S)
    yield iotshadow.IotShadowClient(connection)
    connection.disconnect().result(PATIENCE_S)


class Heard:
    """Everything the client subscribed to, by topic."""

    def __init__(self, client: iotshadow.IotShadowClient, thing: str) -> None:
        self.get_accepted: Inbox[Any] = Inbox()
        self.get_rejected: Inbox[Any] = Inbox()
        self.update_accepted: Inbox[Any] = Inbox()
        self.update_rejected: Inbox[Any] = Inbox()
        self.delta: Inbox[Any] = Inbox()
        on = iotshadow
        for subscribe, request, inbox in [
            (
                client.subscribe_to_update_shadow_accepted,
                on.UpdateShadowSubscriptionRequest,
                self.update_accepted,
            ),
            (
                client.subscribe_to_update_shadow_rejected,
                on.UpdateShadowSubscriptionRequest,
                self.update_rejected,
            ),
            (client.subscribe_to_get_shadow_accepted, on.GetShadowSubscriptionRequest, self.get_accepted),
            (client.subscribe_to_get_shadow_rejected, on.GetShadowSubscriptionRequest, self.get_rejected),
            (
                client.subscribe_to_shadow_delta_updated_events,
                on.ShadowDeltaUpdatedSubscriptionRequest,
                self.delta,
            ),
        ]:
            subscribed, _ = subscribe(request(thing_name=thing), AT_LEAST_ONCE, inbox.put)
            assert subscribed.result(PATIENCE_S) == AT_LEAST_ONCE


def test_the_older_samples_flow(client: iotshadow.IotShadowClient, thing: str) -> None:
    heard = Heard(client, thing)

    def get(token: str) -> None:
        request = iotshadow.GetShadowRequest(thing_name=thing, client_token=token)
        client.publish_get_shadow(request, AT_LEAST_ONCE).result(PATIENCE_S)

    def update(token: str, version: int | None = None, **state: Any) -> None:
        request = iotshadow.UpdateShadowRequest(
            thing_name=thing, client_token=token, state=iotshadow.ShadowState(**state), version=version
        )
        client.publish_update_shadow(request, AT_LEAST_ONCE).result(PATIENCE_S)

    get("g-1")
    missing = heard.get_rejected.next()
    assert (missing.code, missing.client_token) == (404, "g-1")

    update("u-1", desired={"color": "green"})
    delta = heard.delta.next()
    assert (delta.state, delta.version) == ({"color": "green"}, 1)
    assert heard.update_accepted.next().client_token == "u-1"

    update("u-2", reported={"color": "green"})
    assert heard.update_accepted.next().state.reported == {"color": "green"}

    update("u-3", version=1, desired={"color": "red"})
    conflict = heard.update_rejected.next()
    assert (conflict.code, conflict.message, conflict.client_token) == (409, "Version conflict", "u-3")

    get("g-2")
    document = heard.get_accepted.next()
    assert (document.client_token, document.version) == ("g-2", 2)
    assert document.state.desired == document.state.reported == {"color": "green"}
    assert document.state.delta is None
