"""Types of settings; each raises ValueError for invalid text."""

import hashlib
import os
import re
import sys
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from urllib.parse import quote, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import platformdirs

SECONDS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600}
BUCKETS = {"s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl", "https"}
SECONDS |= {"d": 86_400, "day": 86_400}
RATE = re.compile(rf"([1-9]\d{{0,8}})/({'|'.join(SECONDS)})")

# x264 presets, from fastest (largest files) to slowest.
Preset = Literal[
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
]


def choices(kind: Any) -> str:
    """Return the error message of a setting with fixed choices, otherwise ""."""
    return f"expected one of {', '.join(get_args(kind))}" if get_origin(kind) is Literal else ""


class SmtpServer:
    """A mail server: smtp://user:password@host:587 or smtps://user:password@host."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise ValueError("expected smtp://user:password@host:587 or smtps://user:password@host")
        self.host = parts.hostname
        self.user = unquote(parts.username or "")
        self.password = unquote(parts.password or "")
        self.implicit_tls = parts.scheme == "smtps"
        self.port = parts.port or (465 if self.implicit_tls else 587 if self.password else 25)

    @property
    def must_start_tls(self) -> bool:
        """Whether STARTTLS is required to protect the password."""
        return bool(self.password) and not self.implicit_tls


class Rate:
    """A rate such as 60/min, 5/s, 1000/hour or 10000/day; or `off`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.is_off = text.strip().lower() == "off"
        found = RATE.fullmatch(text.replace(" ", "").lower())
        if found is None and not self.is_off:
            raise ValueError(f"expected a rate like 60/min, or off, not `{text}`")
        self.count = int(found[1]) if found else 0
        self.span_seconds = SECONDS[found[2]] if found else 0

    def __str__(self) -> str:
        return self._text


class SiteUrl(str):
    """An http(s) URL of a host and optional path; a trailing slash is removed."""

    __slots__ = ()

    def __new__(cls, url: str) -> "SiteUrl":
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"expected a URL like https://films.example, not `{url}`")
        if parts.query or parts.fragment or parts.username or parts.password:
            raise ValueError("expected only a host and perhaps a path, like https://films.example")
        return super().__new__(cls, url.rstrip("/"))


class StorageUrl(str):
    """A storage URL: file:///absolute/path, or s3://, gs:// or az:// and a bucket."""

    __slots__ = ()

    def __new__(cls, url: str) -> "StorageUrl":
        if url:
            _check_storage_url(url)
        return super().__new__(cls, url)


def _check_storage_url(url: str) -> None:
    if url.startswith(("/", "./", "../", "~")) or "://" not in url:
        path = url if url.startswith("/") else "/srv/media"
        raise ValueError(f"expected a URL, not a path; write file://{quote(path)}")
    parts = urlsplit(url)
    if parts.scheme == "file":
        if parts.netloc or not parts.path.strip("/"):
            raise ValueError("expected file:/// with three slashes, like file:///srv/media")
        if {"..", "."} & set(parts.path.split("/")):
            raise ValueError("expected an absolute path without “..”, like file:///srv/media")
        if "\0" in unquote(parts.path) or parts.query or parts.fragment:
            raise ValueError("expected a plain path; write %3F for “?” and %23 for “#”")
    elif parts.scheme not in BUCKETS:
        raise ValueError(f"“{parts.scheme}” is unknown; expected file:///srv/media or s3://bucket")
    elif not parts.netloc:
        raise ValueError(f"expected the name of a bucket, like {parts.scheme}://bucket/prefix")
    elif parts.username or parts.password:
        raise ValueError("put credentials into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")


@cache
def networks(
    listed: str, variable: str = "TRUSTED_PROXIES"
) -> tuple[IPv4Network | IPv6Network, ...]:
    """Parse a list of networks. Raises SystemExit with a message."""
    try:
        return tuple(ip_network(part.strip()) for part in listed.split(",") if part.strip())
    except ValueError as error:
        sys.exit(f"{variable} is wrong: {error}.")


def default_home() -> Path:
    """Return /var/lib/videoflix for root, as Postgres's account cannot enter root's home."""
    if sys.platform == "linux" and os.geteuid() == 0:
        return Path("/var/lib/videoflix")
    return platformdirs.user_data_path("videoflix", appauthor=False)


def socket_directory(postgres_home: Path) -> Path:
    """Return the folder of the embedded server's socket, whose path is limited to 107 bytes."""
    beside_data = postgres_home / "run"
    if len(str(beside_data / ".s.PGSQL.5432").encode()) <= 107:
        return beside_data
    digest = hashlib.sha256(str(postgres_home).encode()).hexdigest()[:16]
    return Path("/tmp") / f"videoflix-{digest}"  # noqa: S108 - the folder itself is owned and closed


def from_text(kind: type[Any], value: str) -> Any:
    """Convert text to types that msgspec does not support."""
    if kind is Path:
        return Path(value).expanduser().absolute()
    if kind in {SmtpServer, Rate, SiteUrl, StorageUrl}:
        return kind(value)
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"expected a time zone like Europe/Berlin, not `{value}`") from None


def file_content(name: str, path: str) -> str:
    """Return the content of a file without its trailing line break."""
    try:
        return Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{name}_FILE is wrong: {path} cannot be read ({error}).")
