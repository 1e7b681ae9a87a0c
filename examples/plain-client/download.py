"""One image over HTTPS, resumed over cuts and restarts, and checked against what the server says of it."""

import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests
from slots import Memory, sync
from urllib3.exceptions import HTTPError

LOG = logging.getLogger("otaru_plain")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
STRONG_ETAG = re.compile(r'"([0-9a-f]{64})"')
# bytes FIRST-LAST/SIZE
CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-[0-9]+/([0-9]+)")
FINAL = {403: "not for this device", 404: "no such release", 410: "the release was withdrawn"}
SILENCE_S = 15
# A body that brings less in this time is worth no waiting.
RATE_WINDOW_S = 60
LEAST_BYTES = 256 * 60
# No release is longer: whoever says more fills the disk.
LONGEST_BYTES = 127 << 20


class FailedError(Exception):
    """This version is not tried again before somebody asks for it anew."""


class AgainError(Exception):
    """Not now; worth another try after a while."""


class Download:
    """At most one image that is under way, in `part`; the memory knows which."""

    def __init__(self, identity: Path, device: dict[str, Any], memory: Memory) -> None:
        self.images = f"{device['device_url']}/firmware/{device['product']}"
        self.authority, self.memory = str(identity / "ca.pem"), memory
        self.part = memory.path.parent / "download.part"
        self.https = requests.Session()
        self.https.cert = (str(identity / "cert.pem"), str(identity / "key.pem"))
        # Where the server sends downloads on to, the system's authorities count, and no certificate is shown.
        self.elsewhere = requests.Session()

    def bring(self, version: Any, goes_on: Callable[[], bool]) -> Path:
        """Answers the file once it is whole and has the SHA-256 that the server announced."""
        if not isinstance(version, str) or not VERSION.fullmatch(version):
            raise FailedError("not a version")
        was_empty = self.fetch(version, goes_on)
        sync(self.part)
        with self.part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found == self.memory.download["sha256"]:
            return self.part
        self.part.unlink()
        if was_empty:
            raise FailedError("it has not the SHA-256 that the server announced")
        # A power cut may have damaged what lay here.
        raise AgainError("damaged, from the start")

    def fetch(self, version: str, goes_on: Callable[[], bool]) -> bool:
        """Fetches what is missing; answers whether that was all of it."""
        known = self.memory.download
        have = self.part.stat().st_size if self.part.exists() and known.get("version") == version else 0
        if have and have >= known["size"]:
            return False
        answer, etag = self.ask(version, have, known.get("etag"))
        with answer:
            have = have if answer.status_code == 206 else 0
            size = size_of(answer, etag, have, known)
            LOG.info("downloading %s from byte %d of %d", version, have, size)
            with self.part.open("ab") as file:
                # First cut, then recorded: the record never speaks of another image's bytes.
                file.truncate(have)
                about = {"version": version, "etag": etag, "sha256": etag.strip('"'), "size": size}
                self.memory.keep(download=about)
                received = have
                for piece in pieces(answer):
                    received += len(piece)
                    if received > size:
                        raise AgainError("more bytes than were announced")
                    file.write(piece)
                    file.flush()
                    if not goes_on():
                        raise AgainError("interrupted")
        if self.part.stat().st_size != size:
            raise AgainError("the download was cut")
        return have == 0

    def ask(self, version: str, have: int, known_etag: str | None) -> tuple[requests.Response, str]:
        """The image, or the rest of it, and the entity tag that the server has for it."""
        url = f"{self.images}/{version}.bin"
        headers = {"Accept-Encoding": "identity"}
        rest = {"Range": f"bytes={have}-"} if have else {}
        condition = {"If-Range": str(known_etag)} if have else {}
        # Not followed by itself: that could carry the certificate to somebody else.
        how: dict[str, Any] = {"timeout": SILENCE_S, "allow_redirects": False, "stream": True}
        own = {"verify": self.authority}
        answer = self.https.get(url, headers=headers | rest | condition, **how, **own)
        etag = answer.headers.get("ETag", "")
        if answer.status_code == 302:
            place = answer.headers.get("Location", "")
            answer.close()
            # What the image is, the server says itself; elsewhere they have tags of their own.
            with self.https.head(url, headers=headers, **how, **own) as head:
                etag = head.headers.get("ETag", "") if head.status_code == 200 else ""
            if not place.startswith("https://"):
                raise AgainError("the server sends this on to no HTTPS")
            try:
                answer = self.elsewhere.get(place, headers=headers | (rest if etag == known_etag else {}), **how)
            except requests.RequestException as error:
                # Its words name the link, which lets in whoever has it.
                raise AgainError(f"where the server sends this on to: {type(error).__name__}") from None
        elif answer.status_code in FINAL:
            answer.close()
            raise FailedError(FINAL[answer.status_code])
        if answer.status_code in (200, 206) and STRONG_ETAG.fullmatch(etag):
            return answer, etag
        answer.close()
        if answer.status_code == 416:
            self.part.unlink(missing_ok=True)
        raise AgainError(f"the server answers {answer.status_code}")


def pieces(answer: requests.Response) -> Iterator[bytes]:
    """What comes, as soon as it comes."""
    began, received = time.monotonic(), 0
    try:
        while piece := answer.raw.read1(1 << 16):
            yield piece
            received += len(piece)
            if time.monotonic() - began >= RATE_WINDOW_S:
                if received < LEAST_BYTES:
                    raise AgainError("the link is too slow")
                began, received = time.monotonic(), 0
    except HTTPError as error:
        raise AgainError(f"the download was cut: {error}") from error


def size_of(answer: requests.Response, etag: str, have: int, known: dict[str, Any]) -> int:
    """How long the image is, of which `have` bytes are here and the answer brings what follows."""
    if answer.status_code == 206:
        found = CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        is_the_rest = have and found and (int(found[1]), int(found[2])) == (have, known["size"])
        if not is_the_rest or etag != known["etag"]:
            raise AgainError("the answer is not the rest of what is here")
        return int(known["size"])
    length = answer.headers.get("Content-Length", "")
    if not length.isdecimal():
        raise AgainError("the server does not say how long the image is")
    if int(length) > LONGEST_BYTES:
        raise FailedError(f"it has {length} bytes, more than any release")
    return int(length)
