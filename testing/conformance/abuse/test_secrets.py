"""Nothing that is secret is in the log, however much of it is written."""

import json
import secrets
import signal
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from harness.aws import client_with_key
from harness.mqtt import Mqtt
from harness.server import Server
from harness.shadow import payload_of

PRODUCT = "clock"


class Guest:
    """Uses every way in, right and wrong, and remembers what must not be found afterwards."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._base = f"http://127.0.0.1:{server.port('http')}"
        self.secrets: dict[str, str] = {"the administrator's token": server.administrator}

    def keep(self, name: str, secret: str) -> str:
        assert len(secret) >= 8, name
        self.secrets[name] = secret
        return secret

    def ask(self, method: str, path: str, expected: int, **how: Any) -> Any:
        with requests.Session() as session:
            session.trust_env = False
            url = path if "://" in path else self._base + path
            answer = session.request(method, url, timeout=30, allow_redirects=False, **how)
        assert answer.status_code == expected, (path, answer.status_code, answer.text)
        for cookie in answer.cookies:
            self.keep(f"cookie of {method} {path}", str(cookie.value))
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer

    def command(self, *arguments: str | Path) -> Any:
        return json.loads(self._server.command(*arguments, "-o", "json"))

    def password(self, name: str) -> str:
        return self.keep(name, secrets.token_urlsafe(18))

    def code_of(self, name: str, url: str) -> str:
        """The code in a link for a person."""
        parts = urllib.parse.urlsplit(url)
        words = (parts.fragment or parts.query or parts.path).replace("=", "/").split("/")
        return self.keep(name, words[-1])


@pytest.fixture
def talkative(
    fresh_database: Callable[[], str | None], tmp_path: Path
) -> Iterator[Server]:
    server = Server(tmp_path, fresh_database(), log="debug")
    yield server
    server.end(signal.SIGTERM)


def test_the_log_of_every_way_in_has_no_secret(talkative: Server) -> None:
    guest = Guest(talkative)
    people(guest)
    programs(guest, talkative)
    devices(guest, talkative)
    log = talkative.log
    # It was written, and in detail.
    assert "DEBUG" in log and "clock-01" in log
    found = [name for name, secret in guest.secrets.items() if secret in log]
    assert not found, found


def people(guest: Guest) -> None:
    guest.command("user", "add", "ann@example.org", "--role", "admin")
    link = guest.command("user", "reset-link", "ann@example.org")["url"]
    chosen = guest.password("Ann's password")
    reset = {"code": guest.code_of("a link for a password", link), "password": chosen}
    guest.ask("PUT", "/app/password-reset", 200, json=reset)
    ann = {"email": "ann@example.org"}
    guest.ask("POST", "/app/session", 200, json=ann | {"password": chosen})
    wrong = guest.password("a password with a mistake")
    guest.ask("POST", "/app/session", 401, json=ann | {"password": wrong})
    guest.ask("PUT", "/app/password-reset", 404, json=reset)

    invited = guest.command("user", "invite", "bob@example.org", "--role", "viewer")["url"]
    taken = {"code": guest.code_of("an invitation", invited), "password": guest.password("Bob's")}
    guest.ask("POST", "/app/invitation", 201, json=taken)
    cookie = {"otaru": guest.password("a cookie with a mistake")}
    guest.ask("GET", "/app/user", 401, cookies=cookie)


def programs(guest: Guest, server: Server) -> None:
    made = guest.command("token", "create", "--role", "viewer")
    token = guest.keep("a token", made["token"].rpartition("_")[2])
    for sent, expected in [(made["token"], 200), (made["token"][:-2] + "00", 401), (token, 401)]:
        guest.ask("GET", "/api/v1/whoami", expected, headers={"Authorization": f"Bearer {sent}"})
    key = guest.command("token", "create", "--aws", "--role", "operator")
    guest.keep("an access key", key["secret_access_key"])
    client_with_key(server, key).update_thing_shadow(thingName="x", payload=payload_of({"state": {}}))


def devices(guest: Guest, server: Server) -> None:
    identity = server.device("clock-01")
    key = "".join(identity.key.read_text().splitlines()[1:-1])
    guest.keep("a device's key", key)
    guest.keep("a part of a device's key", key[40:80])
    Mqtt(server, "mqtt5", "clock-01", identity).disconnect()

    claim = guest.command("device", "claim-code", "clock-01")
    guest.keep("a link with a claim code", claim["url"])
    code = guest.keep("a claim code", claim["code"])
    owner = {"email": "eve@example.org", "password": guest.password("Eve's password")}
    wrong = code[:-4] + "AAAA"
    guest.ask("POST", "/app/sign-up", 404, json=owner | {"code": guest.keep("a wrong code", wrong)})
    guest.ask("POST", "/app/sign-up", 201, json=owner | {"code": code})
