"""Parse HLS playlists into tags with their lines (RFC 8216bis, section 4)."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin

import msgspec

LINES_MAX = 500_000
ATTRIBUTE = re.compile(r'\s*([A-Z0-9-]+)=("[^"\r\n]*"|[^",\r\n]*)(?:,|(?!\n)$)')
ATTRIBUTE_LISTS = frozenset(
    {
        "EXT-X-BITRATE-LIST",
        "EXT-X-CONTENT-STEERING",
        "EXT-X-DATERANGE",
        "EXT-X-DEFINE",
        "EXT-X-I-FRAME-STREAM-INF",
        "EXT-X-KEY",
        "EXT-X-MAP",
        "EXT-X-MEDIA",
        "EXT-X-PART",
        "EXT-X-PART-INF",
        "EXT-X-PRELOAD-HINT",
        "EXT-X-RENDITION-REPORT",
        "EXT-X-SERVER-CONTROL",
        "EXT-X-SESSION-DATA",
        "EXT-X-SESSION-KEY",
        "EXT-X-SKIP",
        "EXT-X-START",
        "EXT-X-STREAM-INF",
    }
)


class NotAPlaylist(Exception):
    """The text cannot be parsed; the message says why."""


class Tag(msgspec.Struct, frozen=True):
    """A tag without its `#`, its value, and its line; `uri` is a line without a tag."""

    name: str
    value: str
    line: int
    attributes: dict[str, str]

    def text(self, attribute: str) -> str:
        """An attribute without its quotes; empty if it is absent."""
        return self.attributes.get(attribute, "").strip('"')


class ByteRange(msgspec.Struct, frozen=True):
    """Bytes of a resource: `length` is None for all of it."""

    uri: str
    offset: int = 0
    length: int | None = None


class ListedSegment(msgspec.Struct, frozen=True):
    """A media segment: its bytes, the initialisation section that applies, and its line."""

    source: ByteRange
    duration: float
    line: int
    map: ByteRange | None
    discontinuity: bool
    encrypted: bool


class Playlist(msgspec.Struct, frozen=True):
    """A parsed playlist; URIs in `segments` are absolute if `url` is."""

    url: str
    tags: tuple[Tag, ...]
    segments: tuple[ListedSegment, ...]

    def all(self, name: str) -> list[Tag]:
        return [tag for tag in self.tags if tag.name == name]

    def first(self, name: str) -> Tag | None:
        return next((tag for tag in self.tags if tag.name == name), None)

    def integer(self, name: str) -> int | None:
        """The value of a tag that is a decimal-integer; None if it is absent or another text."""
        tag = self.first(name)
        return int(tag.value) if tag is not None and tag.value.strip().isdecimal() else None

    @property
    def is_multivariant(self) -> bool:
        return self.first("EXT-X-STREAM-INF") is not None

    @property
    def is_complete(self) -> bool:
        return self.first("EXT-X-ENDLIST") is not None

    @property
    def target(self) -> float:
        return float(self.integer("EXT-X-TARGETDURATION") or 0)


def parse(text: str, url: str) -> Playlist:
    """Parse a playlist. Raises NotAPlaylist."""
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].strip() != "#EXTM3U":
        raise NotAPlaylist("The first line is not #EXTM3U.")
    if len(lines) > LINES_MAX:
        raise NotAPlaylist(f"It has more than {LINES_MAX} lines.")
    tags = tuple(_tags(lines))
    return Playlist(url, tags, tuple(_segments(tags, url)))


def attributes(text: str) -> dict[str, str] | None:
    """Parse an attribute list; None if it is malformed. Values keep their quotes."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        matched = ATTRIBUTE.match(text, at)
        if matched is None or matched[1] in found:
            return None
        found[matched[1]] = matched[2]
        at = matched.end()
    return found


def resolve(base: str, uri: str) -> str:
    """The absolute URL of a reference. Raises NotAPlaylist."""
    try:
        return urljoin(base, uri)
    except ValueError as problem:
        raise NotAPlaylist(f"“{uri[:100]}” is not a URI.") from problem


def byte_range(value: str, uri: str, previous: ByteRange | None) -> ByteRange:
    """Parse n[@o]; without an offset it follows the previous range of the same resource."""
    length, _, offset = value.strip('"').partition("@")
    if not length.isdecimal() or (offset and not offset.isdecimal()):
        raise NotAPlaylist(f"“{value}” is not a byte range.")
    if offset:
        return ByteRange(uri, int(offset), int(length))
    follows = previous is not None and previous.uri == uri and previous.length is not None
    begin = previous.offset + (previous.length or 0) if follows and previous else 0
    return ByteRange(uri, begin, int(length))


def _tags(lines: list[str]) -> Iterator[Tag]:
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if line.startswith("#EXT"):
            name, _, value = line[1:].partition(":")
            is_list = name in ATTRIBUTE_LISTS
            yield Tag(name, value, number, (attributes(value) or {}) if is_list else {})
        elif line and not line.startswith("#"):
            yield Tag("uri", line, number, {})


def _segments(tags: tuple[Tag, ...], url: str) -> Iterator[ListedSegment]:
    if any(tag.name == "EXT-X-STREAM-INF" for tag in tags):
        return
    duration, ranged, discontinuity, encrypted = -1.0, "", False, False
    init: ByteRange | None = None
    previous: ByteRange | None = None
    for tag in tags:
        if tag.name == "EXTINF":
            duration = _duration(tag)
        elif tag.name == "EXT-X-BYTERANGE":
            ranged = tag.value
        elif tag.name == "EXT-X-DISCONTINUITY":
            discontinuity = True
        elif tag.name == "EXT-X-KEY":
            encrypted = tag.text("METHOD") not in {"NONE", ""}
        elif tag.name == "EXT-X-MAP":
            init = _map(tag, url)
        elif tag.name == "uri":
            uri = resolve(url, tag.value)
            source = byte_range(ranged, uri, previous) if ranged else ByteRange(uri)
            yield ListedSegment(source, duration, tag.line, init, discontinuity, encrypted)
            previous, duration, ranged, discontinuity = source, -1.0, "", False


def _duration(tag: Tag) -> float:
    """The duration of an EXTINF in seconds; negative if it is not a number."""
    text = tag.value.partition(",")[0].strip()
    return float(text) if re.fullmatch(r"[0-9]+(?:\.[0-9]*)?", text) else -1.0


def _map(tag: Tag, url: str) -> ByteRange:
    uri = resolve(url, tag.text("URI"))
    ranged = tag.text("BYTERANGE")
    return byte_range(ranged, uri, None) if ranged else ByteRange(uri)
