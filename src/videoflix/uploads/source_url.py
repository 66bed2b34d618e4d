"""URLs of files to import, checked before anything is fetched."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import msgspec

URL_MAX = 4096
PORTS = {80, 443}
UNPRIVILEGED = 1024


class SourceRefused(Exception):
    """The URL cannot be imported; the message is a sentence for the user."""


class SourceUnavailable(Exception):
    """The server of the URL failed; another attempt may succeed."""


class RemoteFile(msgspec.Struct):
    """The bytes of a remote file from `start` on; `length` is its whole size, if it is known."""

    start: int
    length: int | None
    name: str
    validator: str
    blocks: AsyncIterator[bytes]


def check_url(url: str) -> None:
    """Raises SourceRefused for a URL that is never fetched."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SourceRefused("This is not a valid URL.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or len(url) > URL_MAX:
        raise SourceRefused("Give a URL that starts with http:// or https://.")
    if parts.username is not None or parts.password is not None:
        raise SourceRefused("The URL must not contain a user name or a password.")
    if port is not None and port not in PORTS and port < UNPRIVILEGED:
        raise SourceRefused(f"Files are not fetched from port {port}.")
