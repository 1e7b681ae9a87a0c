"""boto3, unmodified, with its `iot-data` client pointed at a server."""

from functools import cache
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from . import PATIENCE_S
from .server import Identity, Server

_HTTP: dict[str, Any] = {
    # One try: a test wants the first answer.
    "retries": {"total_max_attempts": 1},
    "connect_timeout": PATIENCE_S,
    "read_timeout": PATIENCE_S,
    "proxies": {},
    "max_pool_connections": 30,
}


def key_client(server: Server) -> Any:
    """A client with an access key that is good for every thing."""
    # By port, which is another one after a restart.
    return _key_client(server, server.port("http"))


@cache
def _key_client(server: Server, _port: int) -> Any:
    return client_with_key(server, server.access_key)


def client_with_key(server: Server, key: dict[str, str]) -> Any:
    """A client that signs with the key."""
    return _session().client(
        "iot-data",
        endpoint_url=f"http://127.0.0.1:{server.port('http')}",
        region_name="us-east-1",
        aws_access_key_id=key["access_key_id"],
        aws_secret_access_key=key["secret_access_key"],
        config=Config(**_HTTP),
    )


def certificate_client(server: Server, identity: Identity) -> Any:
    """A client that comes in as a device."""
    pair = (str(identity.certificate), str(identity.key))
    return _session().client(
        "iot-data",
        endpoint_url=f"https://localhost:{server.port('device_https')}",
        region_name="us-east-1",
        verify=str(identity.authority),
        config=Config(signature_version=UNSIGNED, client_cert=pair, **_HTTP),
    )


@cache
def _session() -> boto3.Session:
    return boto3.Session()
