"""HTTP below boto3: status, headers and bodies (§8)."""

import http.client
import json
from dataclasses import dataclass
from typing import Any

import pytest

from harness import PATIENCE_S
from harness.mqtt import tls_context
from harness.server import Server
from harness.shadow import fresh_thing


@dataclass(frozen=True)
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: Any


class Http:
    """One keep-alive connection of a device."""

    def __init__(self, server: Server, thing: str) -> None:
        context = tls_context(server.device(thing))
        port = server.port("device_https")
        self._connection = http.client.HTTPSConnection("localhost", port, timeout=PATIENCE_S, context=context)

    def ask(self, method: str, path: str, body: bytes | None = None) -> Response:
        self._connection.request(method, path, body)
        answer = self._connection.getresponse()
        text = answer.read()
        return Response(answer.status, answer.headers, json.loads(text) if text else None)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def thing() -> str:
    # One that every client has to encode.
    return fresh_thing().replace("-", ":")


@pytest.fixture
def device(server: Server, thing: str) -> Any:
    connection = Http(server, thing)
    yield connection
    connection.close()


def error(response: Response, status: int, kind: str) -> None:
    assert response.status == status
    assert response.headers["x-amzn-ErrorType"] == kind
    assert response.headers["x-amzn-RequestId"]
    assert type(response.body["message"]) is str and type(response.body["traceId"]) is str
    # Some SDKs read it as text, and fail on a number.
    assert "code" not in response.body


def test_a_percent_encoded_path_is_decoded(device: Http, thing: str) -> None:
    encoded = thing.replace(":", "%3A")
    response = device.ask("POST", f"/things/{encoded}/shadow?name=%24cfg", b'{"state":{"desired":{"a":1}}}')
    assert (response.status, response.headers["content-type"]) == (200, "application/json")
    assert response.headers["x-amzn-RequestId"]
    assert device.ask("GET", f"/things/{thing}/shadow?name=$cfg").body["version"] == 1


def test_errors_have_a_header_and_no_code(device: Http, thing: str) -> None:
    path = f"/things/{thing}/shadow"
    error(device.ask("GET", path), 404, "ResourceNotFoundException")
    error(device.ask("POST", path, b"{"), 400, "InvalidRequestException")
    error(device.ask("POST", path, b'{"state":{},"version":5}'), 409, "ConflictException")
    error(device.ask("POST", path, b"\xff"), 415, "UnsupportedDocumentEncodingException")
    error(device.ask("GET", f"/things/{fresh_thing()}/shadow"), 403, "ForbiddenException")


def test_names_that_are_none_are_invalid(device: Http, thing: str) -> None:
    error(device.ask("GET", f"/things/{thing}/shadow?name="), 400, "InvalidRequestException")
    error(device.ask("GET", f"/things/{thing}/shadow?name=a%20b"), 400, "InvalidRequestException")
    error(device.ask("GET", f"/things/{thing}/shadow?name={'x' * 65}"), 400, "InvalidRequestException")
    error(device.ask("GET", "/things/a%20b/shadow"), 400, "InvalidRequestException")
    error(device.ask("GET", f"/things/{'x' * 129}/shadow"), 400, "InvalidRequestException")


def test_another_verb_is_not_allowed(device: Http, thing: str) -> None:
    error(device.ask("PUT", f"/things/{thing}/shadow"), 405, "MethodNotAllowedException")
    error(
        device.ask("POST", f"/api/things/shadow/ListNamedShadowsForThing/{thing}"),
        405,
        "MethodNotAllowedException",
    )


def test_an_unknown_path_is_not_found(device: Http, thing: str) -> None:
    assert device.ask("GET", f"/things/{thing}/shadows").status == 404
