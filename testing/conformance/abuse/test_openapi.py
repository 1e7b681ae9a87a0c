"""What a generator makes of the OpenAPI document, sent as everybody: sense and nonsense alike.

`OTARU_SLOW=1` sends 10,000 requests as each; without it some hundreds.
"""

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, strategies
from schemathesis import GenerationMode
from schemathesis.checks import content_type_conformance, response_schema_conformance

from harness.people import ROLES, tokens
from harness.server import Server

DOCS = Path(__file__).parents[3] / "docs"
REQUESTS = 10_000 if os.environ.get("OTARU_SLOW") == "1" else 400
EVERYBODY = ["stranger", *ROLES]

# What is there, so that not every request ends at a name.
KNOWN = {
    "thing": ["clock-01"],
    "product": ["clock"],
    "version": ["1.0.5"],
    "file": ["1.0.5.bin", "1.0.5.manifest", "1.0.5.order"],
    "number": ["1", "latest"],
}
SCHEMA = schemathesis.openapi.from_path(DOCS / "openapi.json")


@schemathesis.serializer("application/offset+octet-stream")
def piece(_context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")


def documented() -> dict[str, set[int]]:
    """Every code with its status, as docs/errors.md has them."""
    rows = re.findall(r"^\| `([a-z_0-9]+)` \| (\d{3}) \|", (DOCS / "errors.md").read_text(), re.M)
    assert len(rows) > 100
    found = {code: {int(status)} for code, status in rows}
    for code in ["release_yanked", "release_untrusted"]:
        found[code].add(410)
    return found


@pytest.fixture(scope="module")
def people(server: Server) -> dict[str, str | None]:
    server.device("clock-01")
    return tokens(server)


def operations() -> list[schemathesis.APIOperation]:
    found = [result.ok() for result in SCHEMA.get_all_operations()]
    # A stream has no end.
    return [operation for operation in found if not operation.path.endswith("/listen")]


class Sender:
    """Sends what was generated, and looks at what comes back."""

    def __init__(self, server: Server, token: str | None) -> None:
        self._base = f"http://127.0.0.1:{server.port('http')}"
        self._session = requests.Session()
        self._session.trust_env = False
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._codes = documented()
        self.answers: Counter[int] = Counter()

    def send(self, case: schemathesis.Case) -> None:
        try:
            answer = case.call(
                self._base, self._session, self._headers, timeout=30, allow_redirects=False
            )
        except (UnicodeError, requests.exceptions.InvalidHeader):
            # The client's own: nothing was sent.
            hypothesis.reject()
        self.answers[answer.status_code] += 1
        assert answer.status_code < 500, f"{case.as_curl_command()}\n{answer.text}"
        if answer.status_code >= 400:
            self._check_refusal(case, answer)
        else:
            case.validate_response(answer, [content_type_conformance, response_schema_conformance])

    def _check_refusal(self, case: schemathesis.Case, answer: schemathesis.Response) -> None:
        """Says what is documented: a code with its status, and AWS's words on the data plane."""
        if case.method == "HEAD":
            return
        kind = answer.headers.get("content-type", [""])[0]
        if case.path.startswith(("/things/", "/api/things/", "/topics/")) and kind == "application/json":
            assert set(json.loads(answer.text)) == {"message", "traceId"}
            return
        assert kind == "application/problem+json", f"{case.as_curl_command()}\n{answer.text}"
        code = json.loads(answer.text)["code"]
        assert answer.status_code in self._codes.get(code, set()), (code, answer.status_code)


@pytest.mark.parametrize("role", EVERYBODY)
def test_whatever_is_sent_is_answered_as_documented(
    server: Server, people: dict[str, str | None], role: str
) -> None:
    sender = Sender(server, people[role])
    all_of_them = operations()
    each = -(-REQUESTS // len(all_of_them))
    for number, operation in enumerate(all_of_them):
        drawn = strategies.one_of(
            operation.as_strategy(GenerationMode.POSITIVE),
            operation.as_strategy(GenerationMode.NEGATIVE),
        )

        @hypothesis.seed(number)
        @hypothesis.settings(
            max_examples=each,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(case=drawn, data=strategies.data())
        def send(case: schemathesis.Case, data: strategies.DataObject) -> None:
            for name in set(case.path_parameters or {}) & set(KNOWN):
                if data.draw(strategies.booleans()):
                    case.path_parameters[name] = data.draw(strategies.sampled_from(KNOWN[name]))
            sender.send(case)

        send()
    assert sender.answers.total() >= REQUESTS * 0.9, sender.answers
    # They got somewhere, and a stranger did not.
    assert sender.answers[200] > 0
    assert (sender.answers[401] > sender.answers.total() / 2) == (role == "stranger"), sender.answers
    print(role, sorted(sender.answers.items()))


def test_it_is_up_and_noticed_nothing_wrong(server: Server) -> None:
    assert not re.search(r"panicked|\bERROR\b", server.log), server.log[-4000:]
    server.command("device", "list")
