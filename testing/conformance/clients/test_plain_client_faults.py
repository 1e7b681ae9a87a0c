"""Parts of `examples/plain-client` against what a server, a broker or a product of their own may do to them."""

import hashlib
import os
import select
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client

from harness import PATIENCE_S
from harness.plain_client import EXAMPLE

IMAGE = b"image" * 40_000
ETAG = f'"{hashlib.sha256(IMAGE).hexdigest()}"'


@pytest.fixture(autouse=True)
def example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLE)


class Answers(HTTPServer):
    """A server that answers as it is told, one answer after the other."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.asked: list[dict[str, str]] = []


class Answer(BaseHTTPRequestHandler):
    server: Answers

    def do_GET(self) -> None:  # noqa: N802
        self.server.asked.append(dict(self.headers))
        code, headers, body = self.server.answers.pop(0)
        self.send_response(code)
        for name, value in ({"ETag": ETAG} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_about: Any) -> None:
        pass


def running(server: Answers) -> Iterator[Answers]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def answers() -> Iterator[Answers]:
    yield from running(Answers())


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """Another server, over TLS, with an authority that the system knows."""
    certificate, key = tmp_path / "elsewhere.pem", tmp_path / "elsewhere.key"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    made += ["-subj", "/CN=elsewhere", "-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key]
    subprocess.run(made, check=True, capture_output=True)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    server, context = Answers(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    yield from running(server)


def download(answers: Answers, state: Path) -> Any:
    from download import Download
    from slots import Memory

    for name in ("cert.pem", "key.pem", "ca.pem"):
        (state / name).touch()
    device = {"device_url": f"http://127.0.0.1:{answers.server_port}", "product": "gateway"}
    return Download(state, device, Memory.of(state / "memory.json", "1.0.4"))


def length(count: int) -> dict[str, str]:
    return {"Content-Length": str(count)}


def test_an_image_is_no_longer_than_a_release_can_be(answers: Answers, tmp_path: Path) -> None:
    from download import FailedError

    answers.answers = [(200, length(1 << 40), b"x" * 1000)]
    with pytest.raises(FailedError, match="more than any release"):
        download(answers, tmp_path).bring("1.0.5", lambda: True)
    assert not (tmp_path / "download.part").exists()


def test_an_answer_without_a_length_is_asked_for_again(answers: Answers, tmp_path: Path) -> None:
    from download import AgainError

    answers.answers = [(200, {}, IMAGE), (200, length(len(IMAGE)), IMAGE)]
    image = download(answers, tmp_path)
    with pytest.raises(AgainError, match="does not say how long"):
        image.bring("1.0.5", lambda: True)
    assert image.bring("1.0.5", lambda: True).read_bytes() == IMAGE


def test_only_the_rest_of_what_is_here_is_put_behind_it(answers: Answers, tmp_path: Path) -> None:
    from download import AgainError

    half, size = 1 << 16, len(IMAGE)
    rest = {"Content-Range": f"bytes {half}-{size - 1}/{size}"}
    other = {"ETag": ETAG.translate(str.maketrans("0123456789", "1234567890"))}
    answers.answers = [
        (206, rest, IMAGE[half:]),
        (200, length(size), IMAGE[:half]),
        (206, {"Content-Range": f"bytes 0-{size - 1}/{size}"}, IMAGE),
        (206, {"Content-Range": f"bytes {half}-{size}/{size + 1}"}, IMAGE[half:] + b"x"),
        (206, rest | other, IMAGE[half:]),
        (206, {}, IMAGE[half:]),
        (206, rest, IMAGE[half:] + b"endless" * 40_000),
    ]
    image = download(answers, tmp_path)
    with pytest.raises(AgainError, match="not the rest"):
        image.bring("1.0.5", lambda: True)
    with pytest.raises(AgainError, match="was cut"):
        image.bring("1.0.5", lambda: True)
    for _ in range(4):
        with pytest.raises(AgainError, match="not the rest"):
            image.bring("1.0.5", lambda: True)
        assert image.part.read_bytes() == IMAGE[:half]
    with pytest.raises(AgainError, match="more bytes than were announced"):
        image.bring("1.0.5", lambda: True)
    # What came of the image before that stays.
    have = image.part.stat().st_size
    assert half < have <= size and IMAGE.startswith(image.part.read_bytes())
    if have < size:
        answers.answers = [(206, {"Content-Range": f"bytes {have}-{size - 1}/{size}"}, IMAGE[have:])]
    assert image.bring("1.0.5", lambda: True).read_bytes() == IMAGE
    assert answers.asked[2]["Range"] == f"bytes={half}-"


def test_a_link_that_trickles_is_given_up(
    answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import download as example

    monkeypatch.setattr(example, "RATE_WINDOW_S", 0)
    answers.answers = [(200, length(len(IMAGE)), IMAGE[:1000])]
    image = download(answers, tmp_path)
    with pytest.raises(example.AgainError, match="too slow"):
        image.bring("1.0.5", lambda: True)
    assert image.part.read_bytes() == IMAGE[:1000]


def test_a_download_that_is_elsewhere_is_followed_and_resumed(
    answers: Answers, elsewhere: Answers, tmp_path: Path
) -> None:
    from download import AgainError

    half, size = 1 << 16, len(IMAGE)
    moved = (302, {"ETag": "", "Location": f"https://127.0.0.1:{elsewhere.server_port}/moved"}, b"")
    answers.answers = [moved, (200, length(size), b"")] * 2
    theirs = {"ETag": '"of-their-own"'}
    elsewhere.answers = [
        (200, theirs | length(size), IMAGE[:half]),
        (206, theirs | {"Content-Range": f"bytes {half}-{size - 1}/{size}"}, IMAGE[half:]),
    ]
    image = download(answers, tmp_path)
    with pytest.raises(AgainError, match="was cut"):
        image.bring("1.0.5", lambda: True)
    assert image.bring("1.0.5", lambda: True).read_bytes() == IMAGE
    assert elsewhere.asked[1]["Range"] == f"bytes={half}-"
    # It would name nothing there, and the whole would come again.
    assert "If-Range" not in elsewhere.asked[1]


def test_a_link_that_was_handed_out_is_in_no_log(answers: Answers, tmp_path: Path) -> None:
    from download import AgainError

    moved = (302, {"Location": "https://127.0.0.1:1/moved?signature=secret"}, b"")
    answers.answers = [moved, (200, length(len(IMAGE)), b"")]
    with pytest.raises(AgainError, match="ConnectionError") as failed:
        download(answers, tmp_path).bring("1.0.5", lambda: True)
    assert "secret" not in str(failed.value)


def test_a_download_that_is_elsewhere_without_tls_is_not_followed(answers: Answers, tmp_path: Path) -> None:
    from download import AgainError

    moved = (302, {"Location": f"http://127.0.0.1:{answers.server_port}/moved"}, b"")
    answers.answers = [moved, (200, length(len(IMAGE)), b"")]
    with pytest.raises(AgainError, match="no HTTPS"):
        download(answers, tmp_path).bring("1.0.5", lambda: True)
    assert len(answers.asked) == 2


def test_a_command_that_takes_too_long_is_killed_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slots

    monkeypatch.setattr(slots, "COMMAND_S", 0.5)
    held = tmp_path / "held"
    os.mkfifo(held)
    reader = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert slots.status(f"sleep 300 >{held} & echo begun >{held}; wait") is None
        assert os.read(reader, 100) == b"begun\n"
        # The end of it comes when the last one who could write is gone.
        assert select.select([reader], [], [], PATIENCE_S)[0], "what it started still runs"
        assert os.read(reader, 100) == b""
    finally:
        os.close(reader)


def test_what_may_hold_a_password_is_for_its_owner_alone(tmp_path: Path) -> None:
    from slots import write

    (tmp_path / "settings.new").write_text("left by a power cut")
    write(tmp_path / "settings.json", {"password": "secret"})
    assert stat.S_IMODE((tmp_path / "settings.json").stat().st_mode) == 0o600


def test_connections_that_end_at_once_are_waited_for_longer_and_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shadow

    monkeypatch.setattr(Client, "tls_set", lambda *_about: None)
    monkeypatch.setattr(Client, "connect", lambda *_about, **_more: None)
    monkeypatch.setattr(Client, "subscribe", lambda *_about: None)
    now, tries = [0.0], []
    lasts = iter([0.0, 1.0, 1.0, 3600.0, 1.0])
    device = {"mqtt_url": "mqtts://localhost:1", "thing": "gateway-01"}
    plain = shadow.Shadow(tmp_path, device, dict)

    def loop_forever(_client: Client) -> None:
        plain.connected(plain.mqtt, None, None, type("Granted", (), {"is_failure": False}), None)
        now[0] += next(lasts)

    def back_off(attempts: int) -> float:
        tries.append(attempts)
        if len(tries) == 5:
            plain.stop.set()
        return 0.0

    monkeypatch.setattr(Client, "loop_forever", loop_forever)
    monkeypatch.setattr(shadow, "back_off", back_off)
    monkeypatch.setattr(shadow.time, "monotonic", lambda: now[0] + 1.0)
    plain.stay_connected()
    assert tries == [0, 1, 2, 0, 1]
