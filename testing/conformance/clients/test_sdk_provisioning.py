"""Fleet provisioning with the vendor's device SDK for Python, unchanged: on the flow of its own samples."""

import itertools
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from awscrt import mqtt, mqtt5, mqtt_request_response
from awsiot import (
    V2ServiceException,
    iotidentity,
    iotshadow,
    mqtt5_client_builder,
    mqtt_connection_builder,
)

from harness import PATIENCE_S
from harness.inbox import Inbox
from harness.program import run
from harness.server import Server
from harness.shadow import fresh_thing

Protocol: TypeAlias = mqtt.Connection | mqtt5.Client

OPTIONS = mqtt_request_response.ClientOptions(
    max_request_response_subscriptions=6,
    max_streaming_subscriptions=2,
    operation_timeout_in_seconds=int(PATIENCE_S),
)
NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Batch:
    """A template, and the folder that `otaru provisioning claim-certificate` wrote."""

    server: Server
    template: str
    folder: Path

    def arguments(self, client_id: str, certificate: Path | None = None, key: Path | None = None) -> dict[str, Any]:
        return {
            "endpoint": "localhost",
            "port": self.server.port("mqtts"),
            "cert_filepath": str(certificate or self.folder / "claim.pem"),
            "pri_key_filepath": str(key or self.folder / "claim.key"),
            "ca_filepath": str(self.folder / "ca.pem"),
            "client_id": client_id,
        }


@pytest.fixture
def new_batch(server: Server, tmp_path: Path) -> Callable[..., Batch]:
    def make(*limits: str) -> Batch:
        # Registers the product that devices of all tests are of.
        server.device("provisioned-beside")
        template = f"batch-{next(NUMBERS)}"
        pattern = f"{template}-{{SerialNumber}}"
        server.command(
            "provisioning", "template", "add", template, "--product", "clock", "--thing-name", pattern, *limits
        )
        folder = tmp_path / template
        server.command("provisioning", "claim-certificate", template, "--out", folder)
        return Batch(server, template, folder)

    return make


def connected_3(arguments: dict[str, Any]) -> Iterator[mqtt.Connection]:
    connection = mqtt_connection_builder.mtls_from_path(clean_session=False, keep_alive_secs=30, **arguments)
    connection.connect().result(PATIENCE_S)
    yield connection
    connection.disconnect().result(PATIENCE_S)


def connected_5(arguments: dict[str, Any]) -> Iterator[mqtt5.Client]:
    up: Future[None] = Future()
    down: Future[None] = Future()
    client = mqtt5_client_builder.mtls_from_path(
        on_lifecycle_connection_success=lambda _: up.set_result(None),
        on_lifecycle_stopped=lambda _: down.set_result(None),
        **arguments,
    )
    client.start()
    up.result(PATIENCE_S)
    yield client
    client.stop()
    down.result(PATIENCE_S)


@pytest.fixture(params=[connected_3, connected_5], ids=["mqtt3", "mqtt5"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[[dict[str, Any]], Protocol]]:
    """Connects as the arguments say; all of it ends with the test."""
    running: list[Iterator[Protocol]] = []

    def start(arguments: dict[str, Any]) -> Protocol:
        connection: Iterator[Protocol] = request.param(arguments)
        protocol = next(connection)
        running.append(connection)
        return protocol

    yield start
    for connection in running:
        next(connection, None)


def signing_request(folder: Path, kind: list[str]) -> tuple[str, Path]:
    """A certificate request of a key that stays here."""
    key = folder / "device.key"
    request = run(["openssl", "req", "-new", "-newkey", *kind, "-nodes", "-keyout", key, "-subj", "/CN=AWS IoT Certificate"])
    return request, key


def registered(client: iotidentity.IotIdentityClientV2, batch: Batch, token: str, serial: str) -> Any:
    request = iotidentity.RegisterThingRequest(
        template_name=batch.template,
        certificate_ownership_token=token,
        parameters={"SerialNumber": serial, "DeviceLocation": "Seattle"},
    )
    return client.register_thing(request).result(PATIENCE_S)


@pytest.mark.parametrize("kind", [["rsa:2048"], ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]], ids=["rsa", "ecdsa"])
def test_the_samples_flow_with_a_key_of_its_own(
    new_batch: Callable[..., Batch],
    connect: Callable[[dict[str, Any]], Protocol],
    tmp_path: Path,
    kind: list[str],
) -> None:
    batch = new_batch()
    client = iotidentity.IotIdentityClientV2(connect(batch.arguments(fresh_thing())), OPTIONS)
    request, key = signing_request(tmp_path, kind)

    created = client.create_certificate_from_csr(
        iotidentity.CreateCertificateFromCsrRequest(certificate_signing_request=request)
    ).result(PATIENCE_S)
    assert len(created.certificate_id) == 64
    answer = registered(client, batch, created.certificate_ownership_token, "A1")

    assert answer.thing_name == f"{batch.template}-A1"
    assert answer.device_configuration["product"] == "clock"
    certificate = tmp_path / "device.pem"
    certificate.write_text(created.certificate_pem)
    device = connect(batch.arguments(answer.thing_name, certificate, key))
    shadow = iotshadow.IotShadowClientV2(device, OPTIONS)
    state = iotshadow.ShadowState(reported={"provisioned": True})
    update = iotshadow.UpdateShadowRequest(thing_name=answer.thing_name, state=state)
    assert shadow.update_shadow(update).result(PATIENCE_S).version == 1


def test_the_samples_flow_with_a_key_that_is_made(
    new_batch: Callable[..., Batch], connect: Callable[[dict[str, Any]], Protocol], tmp_path: Path
) -> None:
    batch = new_batch()
    client = iotidentity.IotIdentityClientV2(connect(batch.arguments(fresh_thing())), OPTIONS)
    created = client.create_keys_and_certificate(iotidentity.CreateKeysAndCertificateRequest()).result(PATIENCE_S)
    answer = registered(client, batch, created.certificate_ownership_token, "B1")
    certificate, key = tmp_path / "device.pem", tmp_path / "device.key"
    certificate.write_text(created.certificate_pem)
    key.write_text(created.private_key)
    connect(batch.arguments(answer.thing_name, certificate, key))


def test_what_is_refused_is_refused_in_its_own_words(
    new_batch: Callable[..., Batch], connect: Callable[[dict[str, Any]], Protocol]
) -> None:
    batch = new_batch("--limit", "1")
    client = iotidentity.IotIdentityClientV2(connect(batch.arguments(fresh_thing())), OPTIONS)

    def refused(work: Callable[[], Any]) -> tuple[int, str]:
        with pytest.raises(V2ServiceException) as refusal:
            work()
        error = refusal.value.modeled_error
        assert error.error_message
        return error.status_code, error.error_code

    no_request = iotidentity.CreateCertificateFromCsrRequest(certificate_signing_request="no request")
    assert refused(lambda: client.create_certificate_from_csr(no_request).result(PATIENCE_S)) == (400, "InvalidCSR")
    no_token = (400, "InvalidCertificateOwnershipToken")
    assert refused(lambda: registered(client, batch, "", "A1")) == no_token
    assert refused(lambda: registered(client, batch, "wrong", "A1")) == no_token

    keys = iotidentity.CreateKeysAndCertificateRequest()
    one = client.create_keys_and_certificate(keys).result(PATIENCE_S).certificate_ownership_token
    assert refused(lambda: registered(client, batch, one, "../A1")) == (400, "InvalidParameters")
    registered(client, batch, one, "A1")
    two = client.create_keys_and_certificate(keys).result(PATIENCE_S).certificate_ownership_token
    assert refused(lambda: registered(client, batch, two, "A1")) == (409, "ResourceAlreadyExists")
    assert refused(lambda: registered(client, batch, two, "A2")) == (403, "AccessDenied")


def test_a_device_comes_in_once_it_is_approved(
    new_batch: Callable[..., Batch], connect: Callable[[dict[str, Any]], Protocol], tmp_path: Path
) -> None:
    batch = new_batch("--approve")
    client = iotidentity.IotIdentityClientV2(connect(batch.arguments(fresh_thing())), OPTIONS)
    keys = iotidentity.CreateKeysAndCertificateRequest()
    created = client.create_keys_and_certificate(keys).result(PATIENCE_S)
    thing = registered(client, batch, created.certificate_ownership_token, "C1").thing_name
    queue = json.loads(batch.server.command("provisioning", "queue", "-o", "json"))["items"]
    waiting = next(item for item in queue if item["thing"] == thing)
    assert waiting["status"] == "PENDING_ACTIVATION"
    batch.server.command("provisioning", "approve", waiting["id"])
    certificate, key = tmp_path / "device.pem", tmp_path / "device.key"
    certificate.write_text(created.certificate_pem)
    key.write_text(created.private_key)
    connect(batch.arguments(thing, certificate, key))


def test_the_first_client_of_the_sdk(new_batch: Callable[..., Batch]) -> None:
    batch = new_batch()
    connection = mqtt_connection_builder.mtls_from_path(
        clean_session=False, keep_alive_secs=30, **batch.arguments(fresh_thing())
    )
    connection.connect().result(PATIENCE_S)
    client = iotidentity.IotIdentityClient(connection)
    accepted: Inbox[Any] = Inbox()
    qos = mqtt.QoS.AT_LEAST_ONCE
    keys = iotidentity.CreateKeysAndCertificateSubscriptionRequest()
    client.subscribe_to_create_keys_and_certificate_accepted(keys, qos, accepted.put)[0].result(PATIENCE_S)
    thing = iotidentity.RegisterThingSubscriptionRequest(template_name=batch.template)
    client.subscribe_to_register_thing_accepted(thing, qos, accepted.put)[0].result(PATIENCE_S)

    client.publish_create_keys_and_certificate(iotidentity.CreateKeysAndCertificateRequest(), qos).result(PATIENCE_S)
    token = accepted.next().certificate_ownership_token
    request = iotidentity.RegisterThingRequest(
        template_name=batch.template, certificate_ownership_token=token, parameters={"SerialNumber": "D1"}
    )
    client.publish_register_thing(request, qos).result(PATIENCE_S)
    assert accepted.next().thing_name == f"{batch.template}-D1"
    connection.disconnect().result(PATIENCE_S)
