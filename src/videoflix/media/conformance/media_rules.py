"""Rules for the text of a media playlist (RFC 8216bis, section 4.4.1 to 4.4.4)."""

from collections.abc import Iterator

from videoflix.media.conformance.findings import Finding, error, warning
from videoflix.media.conformance.m3u8 import ATTRIBUTE_LISTS, Playlist, Tag, attributes

ONCE = (
    "EXT-X-VERSION",
    "EXT-X-TARGETDURATION",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE",
    "EXT-X-PLAYLIST-TYPE",
    "EXT-X-ENDLIST",
    "EXT-X-I-FRAMES-ONLY",
    "EXT-X-INDEPENDENT-SEGMENTS",
    "EXT-X-START",
)
MULTIVARIANT_ONLY = (
    "EXT-X-MEDIA",
    "EXT-X-STREAM-INF",
    "EXT-X-I-FRAME-STREAM-INF",
    "EXT-X-SESSION-DATA",
    "EXT-X-SESSION-KEY",
)
# Tags that must come before the first segment.
FIRST = ("EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE")


def media_rules(playlist: Playlist, name: str) -> Iterator[Finding]:
    """Check a media playlist, which reports call `name`."""
    yield from general_rules(playlist, name)
    yield from _required(playlist, name)
    yield from _order(playlist, name)
    yield from _versions(playlist, name)
    yield from _segments(playlist, name)
    yield from _maps(playlist, name)


def general_rules(playlist: Playlist, name: str) -> Iterator[Finding]:
    """What applies to multivariant playlists as well."""
    for once in ONCE:
        for tag in playlist.all(once)[1:]:
            yield error("repeated-tag", _at(name, tag), f"{once} is there more than once.")
    version = playlist.first("EXT-X-VERSION")
    if version is not None and playlist.integer("EXT-X-VERSION") is None:
        yield error("version", _at(name, version), f"“{version.value}” is not a version.")
    for tag in playlist.tags:
        if tag.name in ATTRIBUTE_LISTS and attributes(tag.value) is None:
            yield error("attributes", _at(name, tag), f"The attributes of {tag.name} are invalid.")
    start = playlist.first("EXT-X-START")
    if start is not None and not start.text("TIME-OFFSET"):
        yield error("start", _at(name, start), "EXT-X-START has no TIME-OFFSET.")


def _at(name: str, tag: Tag) -> str:
    return f"{name}, line {tag.line}"


def _required(playlist: Playlist, name: str) -> Iterator[Finding]:
    if playlist.integer("EXT-X-TARGETDURATION") is None:
        yield error("target-duration", name, "EXT-X-TARGETDURATION is missing or not a number.")
    for only in MULTIVARIANT_ONLY:
        for tag in playlist.all(only):
            yield error("playlist-kind", _at(name, tag), f"{only} is not for media playlists.")
    kind = playlist.first("EXT-X-PLAYLIST-TYPE")
    if kind is not None and kind.value not in {"EVENT", "VOD"}:
        yield error("playlist-type", _at(name, kind), f"“{kind.value}” is not a playlist type.")
    if kind is not None and kind.value == "VOD" and not playlist.is_complete:
        yield error("end", name, "A playlist of type VOD has no EXT-X-ENDLIST.")
    if playlist.is_complete and kind is None:
        message = "A complete playlist should have EXT-X-PLAYLIST-TYPE:VOD."
        yield warning("playlist-type", name, message)


def _order(playlist: Playlist, name: str) -> Iterator[Finding]:
    first = playlist.segments[0].line if playlist.segments else None
    for tag in playlist.tags:
        if tag.name in FIRST and first is not None and tag.line > first:
            message = f"{tag.name} comes after the first segment."
            yield error("tag-order", _at(name, tag), message)
    for tag in playlist.all("EXT-X-MEDIA-SEQUENCE"):
        if not tag.value.strip().isdecimal():
            message = f"“{tag.value}” is not a sequence number."
            yield error("media-sequence", _at(name, tag), message)
    sequence = playlist.integer("EXT-X-MEDIA-SEQUENCE") or 0
    kind = playlist.first("EXT-X-PLAYLIST-TYPE")
    if sequence and kind is not None:
        message = f"A playlist of type {kind.value} keeps all segments, but begins at {sequence}."
        yield error("media-sequence", name, message)
    has_discontinuity = any(segment.discontinuity for segment in playlist.segments)
    removes = kind is None and not playlist.is_complete
    if has_discontinuity and removes and playlist.first("EXT-X-DISCONTINUITY-SEQUENCE") is None:
        message = "A live playlist with discontinuities has no EXT-X-DISCONTINUITY-SEQUENCE."
        yield error("discontinuity-sequence", name, message)


def _versions(playlist: Playlist, name: str) -> Iterator[Finding]:
    """EXT-X-VERSION must be at least that of the features in use (section 8)."""
    needed, feature = 1, ""
    i_frames = playlist.first("EXT-X-I-FRAMES-ONLY") is not None
    decimals = any("." in tag.value.partition(",")[0] for tag in playlist.all("EXTINF"))
    for version, is_used, what in (
        (2, any(tag.text("IV") for tag in playlist.all("EXT-X-KEY")), "IV in EXT-X-KEY"),
        (3, decimals, "decimal durations"),
        (4, playlist.first("EXT-X-BYTERANGE") is not None, "EXT-X-BYTERANGE"),
        (4, i_frames, "EXT-X-I-FRAMES-ONLY"),
        (5 if i_frames else 6, playlist.first("EXT-X-MAP") is not None, "EXT-X-MAP"),
        (8, playlist.first("EXT-X-DEFINE") is not None, "EXT-X-DEFINE"),
        (9, playlist.first("EXT-X-SKIP") is not None, "EXT-X-SKIP"),
    ):
        if is_used and version > needed:
            needed, feature = version, what
    declared = playlist.integer("EXT-X-VERSION") or 1
    if declared < needed:
        message = f"EXT-X-VERSION is {declared}, but {feature} needs {needed}."
        yield error("version", name, message)


def _segments(playlist: Playlist, name: str) -> Iterator[Finding]:
    target = playlist.integer("EXT-X-TARGETDURATION")
    for segment in playlist.segments:
        where = f"{name}, line {segment.line}"
        if segment.duration < 0:
            yield error("duration", where, "The segment has no valid EXTINF.")
        elif target is not None and round(segment.duration) > target:
            message = (
                f"The segment lasts {segment.duration:.3f} s, longer than the target duration of"
                f" {target} s."
            )
            yield error("target-duration", where, message)
    if not playlist.segments and playlist.is_complete:
        yield error("no-segments", name, "The playlist is complete but has no segment.")


def _maps(playlist: Playlist, name: str) -> Iterator[Finding]:
    for tag in playlist.all("EXT-X-MAP"):
        if not tag.text("URI"):
            yield error("map", _at(name, tag), "EXT-X-MAP has no URI.")
    for segment in playlist.segments:
        path = segment.source.uri.partition("?")[0]
        if segment.map is None and path.endswith((".m4s", ".cmfv", ".cmfa")):
            message = "A fragmented MP4 segment has no EXT-X-MAP before it."
            yield error("map", f"{name}, line {segment.line}", message)
            return
