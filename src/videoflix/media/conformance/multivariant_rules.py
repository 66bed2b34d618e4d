"""Rules for the text of a multivariant playlist, and its groups (RFC 8216bis, 4.4.6)."""

import re
from collections import defaultdict
from collections.abc import Iterator

from videoflix.media.conformance.findings import Finding, error, warning
from videoflix.media.conformance.m3u8 import Playlist, Tag
from videoflix.media.conformance.media_rules import general_rules

TYPES = ("AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS")
MEDIA_ONLY = (
    "EXTINF",
    "EXT-X-TARGETDURATION",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-ENDLIST",
    "EXT-X-MAP",
    "EXT-X-BYTERANGE",
    "EXT-X-KEY",
    "EXT-X-DISCONTINUITY",
)
RESOLUTION = re.compile(r"[1-9][0-9]*x[1-9][0-9]*")
AUDIO_CODECS = ("mp4a", "ac-3", "ec-3", "ac-4", "fLaC", "Opus", "alac")
# Apple's HLS Authoring Specification: for cellular networks.
CELLULAR_BITS = 192_000


def multivariant_rules(playlist: Playlist, name: str) -> Iterator[Finding]:
    """Check a multivariant playlist, which reports call `name`."""
    yield from general_rules(playlist, name)
    for only in MEDIA_ONLY:
        for tag in playlist.all(only)[:1]:
            yield error("playlist-kind", _at(name, tag), f"{only} is only for media playlists.")
    yield from _variants(playlist, name)
    yield from _media(playlist, name)
    yield from _groups(playlist, name)
    yield from _authoring(playlist, name)


def _at(name: str, tag: Tag) -> str:
    return f"{name}, line {tag.line}"


def is_audio_only(tag: Tag) -> bool:
    codecs = [codec.strip() for codec in tag.text("CODECS").split(",") if codec.strip()]
    return bool(codecs) and all(codec.startswith(AUDIO_CODECS) for codec in codecs)


def _variants(playlist: Playlist, name: str) -> Iterator[Finding]:
    for index, tag in enumerate(playlist.tags):
        if tag.name not in {"EXT-X-STREAM-INF", "EXT-X-I-FRAME-STREAM-INF"}:
            continue
        is_i_frames = tag.name == "EXT-X-I-FRAME-STREAM-INF"
        after = playlist.tags[index + 1] if index + 1 < len(playlist.tags) else None
        if is_i_frames and not tag.text("URI"):
            yield error("i-frames", _at(name, tag), f"{tag.name} has no URI.")
        if not is_i_frames and (after is None or after.name != "uri"):
            yield error("variant-uri", _at(name, tag), "No URI follows EXT-X-STREAM-INF.")
        yield from _attributes(tag, name, is_i_frames=is_i_frames)


def _attributes(tag: Tag, name: str, *, is_i_frames: bool) -> Iterator[Finding]:
    where = _at(name, tag)
    if not tag.text("BANDWIDTH").isdecimal():
        yield error("bandwidth", where, "BANDWIDTH is missing or not a number.")
    peak, average = tag.text("BANDWIDTH"), tag.text("AVERAGE-BANDWIDTH")
    if average and not (average.isdecimal() and peak.isdecimal() and int(average) <= int(peak)):
        yield error("bandwidth", where, "AVERAGE-BANDWIDTH is no number up to BANDWIDTH.")
    if not tag.text("CODECS"):
        yield warning("codecs", where, "CODECS is missing.")
    size = tag.text("RESOLUTION")
    if size and RESOLUTION.fullmatch(size) is None:
        yield error("resolution", where, f"“{size}” is not a resolution.")
    if is_audio_only(tag):
        return
    if not average:
        yield warning("bandwidth", where, "AVERAGE-BANDWIDTH is missing.")
    if not size:
        yield warning("resolution", where, "RESOLUTION is missing.")
    if not is_i_frames and not tag.text("FRAME-RATE"):
        yield warning("frame-rate", where, "FRAME-RATE is missing.")


def _media(playlist: Playlist, name: str) -> Iterator[Finding]:
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    defaults: dict[tuple[str, str], int] = defaultdict(int)
    for tag in playlist.all("EXT-X-MEDIA"):
        where = _at(name, tag)
        kind, group = tag.text("TYPE"), tag.text("GROUP-ID")
        if kind not in TYPES:
            yield error("media-type", where, f"“{kind}” is not a TYPE.")
        for attribute in ("GROUP-ID", "NAME"):
            if not tag.text(attribute):
                yield error("media-attributes", where, f"{attribute} is missing.")
        if tag.text("NAME") in names[kind, group]:
            message = f"Two renditions of the group “{group}” are named “{tag.text('NAME')}”."
            yield error("media-name", where, message)
        names[kind, group].add(tag.text("NAME"))
        if kind == "SUBTITLES" and not tag.text("URI"):
            yield error("media-attributes", where, "Subtitles have no URI.")
        if kind == "CLOSED-CAPTIONS" and (tag.text("URI") or not tag.text("INSTREAM-ID")):
            message = "Closed captions need an INSTREAM-ID, and have no URI."
            yield error("media-attributes", where, message)
        is_default = tag.text("DEFAULT") == "YES"
        defaults[kind, group] += is_default
        if is_default and tag.text("AUTOSELECT") == "NO":
            yield error("media-default", where, "DEFAULT is YES, but AUTOSELECT is NO.")
        if kind == "AUDIO" and not tag.text("CHANNELS"):
            yield warning("channels", where, "CHANNELS is missing.")
    for (_, group), count in defaults.items():
        if count > 1:
            yield error("media-default", name, f"The group “{group}” has {count} defaults.")


def _groups(playlist: Playlist, name: str) -> Iterator[Finding]:
    groups: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for tag in playlist.all("EXT-X-MEDIA"):
        member = (tag.text("NAME"), tag.text("LANGUAGE"))
        groups[tag.text("TYPE"), tag.text("GROUP-ID")].add(member)
    used: set[tuple[str, str]] = set()
    for tag in playlist.all("EXT-X-STREAM-INF"):
        for kind in TYPES:
            group = tag.text(kind)
            if not group or (kind == "CLOSED-CAPTIONS" and group == "NONE"):
                continue
            used.add((kind, group))
            if (kind, group) not in groups:
                message = f"There is no {kind} group “{group}”."
                yield error("missing-group", _at(name, tag), message)
    for kind, group in groups.keys() - used:
        yield warning("unused-group", name, f"No variant uses the {kind} group “{group}”.")
    for kind in ("AUDIO", "SUBTITLES"):
        members = {group: found for (of, group), found in groups.items() if of == kind}
        if len(set(map(frozenset, members.values()))) > 1:
            message = f"The {kind} groups {', '.join(sorted(members))} offer different renditions."
            yield error("unequal-groups", name, message)


def _authoring(playlist: Playlist, name: str) -> Iterator[Finding]:
    """Apple's HLS Authoring Specification, where it goes beyond the RFC."""
    variants = playlist.all("EXT-X-STREAM-INF")
    rates = [int(tag.text("BANDWIDTH")) for tag in variants if tag.text("BANDWIDTH").isdecimal()]
    if rates and min(rates) > CELLULAR_BITS:
        message = f"No variant has at most {CELLULAR_BITS // 1000} kbit/s, for cellular networks."
        yield warning("cellular", name, message)
    has_video = any(not is_audio_only(tag) for tag in variants)
    if has_video and playlist.first("EXT-X-I-FRAME-STREAM-INF") is None:
        yield warning("i-frames", name, "There is no I-frame playlist.")
    if playlist.first("EXT-X-INDEPENDENT-SEGMENTS") is None:
        yield warning("independent-segments", name, "EXT-X-INDEPENDENT-SEGMENTS is missing.")
