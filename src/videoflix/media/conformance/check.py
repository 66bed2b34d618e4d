"""Check an HLS presentation: its playlists, its media, and that they agree."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec

from videoflix.media.conformance.findings import Finding, bounded, error, errors, warning
from videoflix.media.conformance.m3u8 import NotAPlaylist, Playlist, Tag, parse, resolve
from videoflix.media.conformance.measure import Measuring, Source, SourceFailed
from videoflix.media.conformance.measured import MeasuredRendition, variant_findings
from videoflix.media.conformance.media_rules import media_rules
from videoflix.media.conformance.multivariant_rules import multivariant_rules
from videoflix.media.conformance.timeline import presentation_findings, track_findings

PLAYLIST_MAX = 32 << 20
PLAYLISTS_MAX = 500
# Of each rule and playlist, so that one fault does not fill the report.
REPORTED_MAX = 5
VARIANT, I_FRAMES, MEDIA = "EXT-X-STREAM-INF", "EXT-X-I-FRAME-STREAM-INF", "EXT-X-MEDIA"


class CheckedPlaylist(msgspec.Struct, frozen=True):
    """A media playlist of a report; `duration` is in seconds, `kind` video, audio and so on."""

    name: str
    kind: str
    segments: int
    duration: float
    complete: bool


class Report(msgspec.Struct, frozen=True):
    """What was checked, and what was found."""

    url: str
    playlists: list[CheckedPlaylist]
    findings: list[Finding]

    @property
    def is_conformant(self) -> bool:
        return not errors(self.findings)


class _Reference(msgspec.Struct, frozen=True):
    """A media playlist that the multivariant playlist refers to."""

    url: str
    name: str
    kind: str


async def check(source: Source, url: str, segments_max: int = 0) -> Report:
    """Check a presentation by the URL of its multivariant or media playlist.

    Raises SourceFailed or NotAPlaylist if that cannot be read.
    """
    playlist = await _read(source, url)
    measuring = Measuring(source, segments_max)
    if not playlist.is_multivariant:
        reference = _Reference(url, _short(url), "media")
        checked = _Checked()
        await checked.add(source, measuring, reference, playlist)
        return checked.report(url)
    name = _short(url)
    checked = _Checked(list(multivariant_rules(playlist, name)))
    references = _references(playlist)
    for reference in references[:PLAYLISTS_MAX]:
        await checked.add(source, measuring, reference)
    checked.compare(playlist, name)
    return checked.report(url)


class _Checked:
    """Collects the renditions of a presentation and the findings."""

    def __init__(self, findings: list[Finding] | None = None) -> None:
        self._findings = findings or []
        self._renditions: dict[str, MeasuredRendition] = {}
        self._kinds: dict[str, str] = {}

    async def add(
        self,
        source: Source,
        measuring: Measuring,
        reference: _Reference,
        playlist: Playlist | None = None,
    ) -> None:
        """Read, check and measure a media playlist."""
        try:
            playlist = playlist or await _read(source, reference.url)
        except (SourceFailed, NotAPlaylist) as problem:
            message = f"The playlist cannot be read: {problem}."
            self._findings.append(error("playlist", reference.name, message))
            return
        self._findings += media_rules(playlist, reference.name)
        is_text = reference.kind == "subtitles"
        measured, found = await measuring.rendition(playlist, reference.name, is_text=is_text)
        self._findings += found
        if not playlist.segments and not playlist.is_complete:
            self._findings.append(warning("no-segments", reference.name, "It is empty so far."))
        else:
            self._findings += track_findings(measured.track)
        self._renditions[reference.url] = measured
        self._kinds[reference.url] = reference.kind

    def compare(self, playlist: Playlist, name: str) -> None:
        """Check what the multivariant playlist declares, and the tracks against each other."""
        for index, tag in enumerate(playlist.tags):
            if tag.name == VARIANT:
                self._findings += self._variant(playlist, name, index)
        tracks = [
            found.track for url, found in self._renditions.items() if self._kinds[url] != "i-frames"
        ]
        self._findings += presentation_findings(tracks)
        for tag in playlist.all(I_FRAMES):
            measured = self._renditions.get(resolve(playlist.url, tag.text("URI")))
            if measured is not None:
                where = f"{name}, line {tag.line}"
                self._findings += variant_findings(tag, where, measured, [])

    def report(self, url: str) -> Report:
        playlists = [
            CheckedPlaylist(
                name=found.track.name,
                kind=self._kinds[address],
                segments=len(found.track.segments),
                duration=round(found.track.duration, 3),
                complete=found.track.complete,
            )
            for address, found in self._renditions.items()
        ]
        return Report(url, playlists, bounded(self._findings, REPORTED_MAX))

    def _variant(self, playlist: Playlist, name: str, index: int) -> Iterator[Finding]:
        tag, following = playlist.tags[index], playlist.tags[index + 1 : index + 2]
        if not following or following[0].name != "uri":
            return
        measured = self._renditions.get(resolve(playlist.url, following[0].value))
        if measured is None:
            return
        audio = [
            self._renditions[url]
            for member in _group(playlist, "AUDIO", tag.text("AUDIO"))
            if (url := resolve(playlist.url, member.text("URI"))) in self._renditions
        ]
        yield from variant_findings(tag, f"{name}, line {tag.line}", measured, audio)


async def _read(source: Source, url: str) -> Playlist:
    found = await source.read(url, 0, PLAYLIST_MAX)
    try:
        return parse(found.data.decode(), found.url or url)
    except UnicodeDecodeError as problem:
        raise NotAPlaylist("It is not UTF-8") from problem


def _group(playlist: Playlist, kind: str, group: str) -> list[Tag]:
    return [
        tag
        for tag in playlist.all(MEDIA)
        if tag.text("TYPE") == kind and tag.text("GROUP-ID") == group and tag.text("URI")
    ]


def _references(playlist: Playlist) -> list[_Reference]:
    """The media playlists, each once: variants first."""
    found: dict[str, _Reference] = {}

    def add(uri: str, kind: str, label: str = "") -> None:
        url = resolve(playlist.url, uri)
        name = f"{_short(url)} ({label})" if label else _short(url)
        found.setdefault(url, _Reference(url, name, kind))

    for tag, following in zip(playlist.tags, playlist.tags[1:], strict=False):
        if tag.name == VARIANT and following.name == "uri":
            add(following.value, "variant")
    for tag in playlist.all(MEDIA):
        if tag.text("URI"):
            add(tag.text("URI"), tag.text("TYPE").lower(), tag.text("NAME"))
    for tag in playlist.all(I_FRAMES):
        add(tag.text("URI"), "i-frames")
    return list(found.values())


def _short(url: str) -> str:
    """The end of a URL's path, by which a reader recognizes it; without tokens in a query."""
    return "/".join(urlsplit(url).path.strip("/").rsplit("/", 2)[-2:])
