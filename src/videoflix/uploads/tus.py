"""Headers of the tus protocol 1.0 (https://tus.io/protocols/resumable-upload)."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any

import msgspec

VERSION = "1.0.0"
EXTENSIONS = (
    "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,"
    "concatenation"
)
CONTENT_TYPE = "application/offset+octet-stream"
ALGORITHMS: dict[str, Callable[[], Any]] = {
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "md5": lambda: hashlib.md5(usedforsecurity=False),
}
METADATA_MAX_BYTES = 16 * 1024
PARTIALS_MAX = 1000
NUMBER = re.compile(r"\d{1,15}")
IDENTIFIER = re.compile(r"(?:https?://[^/\s]+)?(?:/[^\s?]*)?/([0-9a-f]{32})(?:\?\S*)?")


class MalformedHeader(Exception):
    """A header that the protocol does not allow, in a sentence."""


class Checksum(msgspec.Struct, frozen=True):
    """The announced checksum of a request's body."""

    algorithm: str
    digest: bytes


def number_in(headers: Mapping[str, str], name: str) -> int | None:
    """Parse a header with a number of bytes; None if it is missing. Raises MalformedHeader."""
    value = headers.get(name)
    if value is None:
        return None
    if not NUMBER.fullmatch(value):
        raise MalformedHeader(f"{name} has to be a number of bytes.")
    return int(value)


def metadata_in(value: str) -> dict[str, str]:
    """Parse Upload-Metadata: pairs of a key and a value in Base64. Raises MalformedHeader."""
    if len(value) > METADATA_MAX_BYTES:
        raise MalformedHeader(f"Upload-Metadata exceeds {METADATA_MAX_BYTES} bytes.")
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in value.split(","))):
        key, _, encoded = pair.partition(" ")
        if key in found:
            raise MalformedHeader(f"Upload-Metadata has the key “{key[:50]}” twice.")
        try:
            found[key] = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            raise MalformedHeader(
                f"The value of “{key[:50]}” in Upload-Metadata is not UTF-8 in Base64."
            ) from None
    return found


def checksum_in(value: str | None) -> Checksum | None:
    """Parse Upload-Checksum. Raises MalformedHeader."""
    if value is None:
        return None
    algorithm, _, encoded = value.partition(" ")
    if algorithm not in ALGORITHMS:
        raise MalformedHeader(f"Upload-Checksum has to use one of {', '.join(ALGORITHMS)}.")
    try:
        return Checksum(algorithm, base64.b64decode(encoded.strip(), validate=True))
    except binascii.Error:
        raise MalformedHeader("Upload-Checksum is not in Base64.") from None


def partials_in(value: str) -> list[str]:
    """Parse the identifiers in `final;URL URL …`. Raises MalformedHeader."""
    urls = value.removeprefix("final;").split()
    found = [IDENTIFIER.fullmatch(url) for url in urls[: PARTIALS_MAX + 1]]
    names = [match.group(1) for match in found if match]
    if not names or len(names) != len(urls) or len(names) > PARTIALS_MAX:
        raise MalformedHeader(
            f"Upload-Concat has to list the URLs of one to {PARTIALS_MAX} partial uploads."
        )
    if len(set(names)) != len(names):
        raise MalformedHeader("Upload-Concat lists an upload twice.")
    return names


def http_date(moment: datetime) -> str:
    """Format a time as in RFC 9110, 5.6.7."""
    return format_datetime(moment, usegmt=True)
