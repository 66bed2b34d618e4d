"""What may be played, by whom, and from which bytes."""

from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import VideoState
from videoflix.catalog.service import Catalog
from videoflix.media.models import TrackKind
from videoflix.media.schemas import Piece, Timeline, Track
from videoflix.media.service import Media
from videoflix.platform.problems import Conflict, NotFound, SignInNeeded
from videoflix.platform.revocations import revocations
from videoflix.platform.tokens import Purpose, TokenRefused, sign, verify
from videoflix.playback.hls import (
    MediaSegment,
    Variant,
    bit_rates,
    media_playlist,
    multivariant_playlist,
)
from videoflix.playback.schemas import PlayPass, Ticket
from videoflix.profiles.schemas import Viewing
from videoflix.settings import settings

TIMELINES_KEPT = 256


class NotPlayableYet(Conflict):
    """The first seconds of this film are still being encoded; try again in a moment."""


class FilmFailed(Conflict):
    """This film could not be encoded and cannot be played."""


class StreamNotFound(NotFound):
    """This film has no such rendition or segment, or not yet."""


class Slice(msgspec.Struct, frozen=True):
    """Where a segment's bytes lie."""

    key: str
    offset: int
    length: int


class Playback:
    def __init__(self, session: AsyncSession) -> None:
        self.catalog = Catalog(session)
        self.media = Media(session)

    async def open(
        self, viewing: Viewing, sign_in_id: int, video_id: int, lease_id: int = 0
    ) -> PlayPass:
        """An address to play the film from. Raises NotPlayableYet or FilmFailed."""
        video = await self.catalog.video(viewing, video_id)
        if video.state is VideoState.FAILED:
            raise FilmFailed(video.failure_reason or "")
        if not video.playable:
            raise NotPlayableYet(progress=video.progress)
        lifetime = settings.play_token_lifetime
        token = sign(
            Purpose.PLAY,
            viewing.user_id,
            lifetime,
            video=video_id,
            sid=sign_in_id,
            lease=lease_id,
            who=msgspec.to_builtins(viewing),
        )
        return PlayPass(
            master_url=f"/api/v1/videos/{video_id}/master.m3u8?token={token}",
            expires_at=datetime.now(UTC) + lifetime,
        )

    async def master(self, viewing: Viewing, video_id: int, query: str) -> str:
        """The multivariant playlist of a film; `query` goes on to everything it names."""
        timeline = await self._visible_timeline(viewing, video_id)
        audio = timeline.track("audio")
        sound = f"assets/{timeline.asset_id}/audio/index.m3u8" if audio else None
        variants = [_variant(timeline, track, audio) for track in rungs_of(viewing, timeline)]
        return multivariant_playlist(variants, audio_uri=sound, query=query)

    async def one_rung(
        self, viewing: Viewing, video_id: int, lines: int, address: Callable[[int, str], str]
    ) -> str:
        """A multivariant playlist of the largest rung of at most so many lines, with its sound.

        `address` makes a rendition's address of an asset's id and its name. Where all rungs are
        larger, it is the smallest one. Raises NotPlayableYet.
        """
        timeline = await self._visible_timeline(viewing, video_id)
        audio = timeline.track("audio")
        rungs = sorted(rungs_of(viewing, timeline), key=size_of)
        fitting = [rung for rung in rungs if size_of(rung) <= lines]
        rung = (fitting or rungs[:1])[-1]
        variant = _variant(timeline, rung, audio)
        return multivariant_playlist(
            [msgspec.structs.replace(variant, uri=address(timeline.asset_id, rung.name))],
            audio_uri=address(timeline.asset_id, audio.name) if audio else None,
        )

    async def playlist(
        self,
        viewing: Viewing,
        video_id: int,
        asset_id: int,
        rendition: str,
        query: str = "",
        prefix: str = "",
    ) -> str:
        """The media playlist of one rendition; `prefix` begins the name of all it lists."""
        timeline = await self._visible_timeline(viewing, video_id)
        track = timeline.track(rendition)
        if timeline.asset_id != asset_id or track is None:
            raise StreamNotFound
        if not allows(viewing, timeline, track):
            raise StreamNotFound("Your plan has no picture of this size.")
        segments = segments_of(track, prefix)
        # Sound is cut at its own frames, so its longest segment may outlast the picture's.
        longest = max([float(found.duration) for found in segments], default=0.0)
        target = max(timeline.segment_seconds, longest)
        return media_playlist(segments, target=target, complete=timeline.complete, query=query)

    async def timeline(self, video_id: int, asset_id: int) -> Timeline:
        """Every playable byte of an asset. Raises StreamNotFound."""
        timeline = await self.media.timeline(video_id)
        if timeline is None or timeline.asset_id != asset_id:
            raise StreamNotFound
        return timeline

    async def _visible_timeline(self, viewing: Viewing, video_id: int) -> Timeline:
        video = await self.catalog.video(viewing, video_id)
        if video.state is VideoState.FAILED:
            raise FilmFailed(video.failure_reason or "")
        timeline = await self.media.timeline(video_id)
        if timeline is None:
            raise NotPlayableYet
        return timeline


class TimelineCache:
    """Timelines this process has read: what is in one never changes, it only grows.

    The oldest goes when there are more than `TIMELINES_KEPT`.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int], Timeline] = {}

    def get(self, video_id: int, asset_id: int) -> Timeline | None:
        return self._kept.get((video_id, asset_id))

    def keep(self, timeline: Timeline) -> None:
        key = (timeline.video_id, timeline.asset_id)
        self._kept.pop(key, None)
        self._kept[key] = timeline
        if len(self._kept) > TIMELINES_KEPT:
            del self._kept[next(iter(self._kept))]


def ticket_of(token: str, video_id: int) -> Ticket:
    """What a play token was signed for. Raises SignInNeeded for any other film."""
    try:
        claims = verify(Purpose.PLAY, token)
        if claims["video"] != video_id:
            raise SignInNeeded("This link is for another film.")
        if int(claims["sid"]) in revocations:
            raise SignInNeeded("You signed out; sign in and open the film again.")
        return Ticket(msgspec.convert(claims["who"], Viewing), int(claims["lease"]))
    except (TokenRefused, KeyError, ValueError) as error:
        raise SignInNeeded("This link is no longer valid; open the film again.") from error


def segments_of(track: Track, prefix: str = "") -> list[MediaSegment]:
    """A track's segments as its playlist lists them, numbered from 0."""
    found: list[MediaSegment] = []
    map_uri, init_sha256 = "", ""
    for piece in track.pieces:
        if piece.init_sha256 != init_sha256:
            map_uri, init_sha256 = f"{prefix}init-{piece.chunk_index}.mp4", piece.init_sha256
        found += [
            MediaSegment(
                uri=f"{prefix}{number:05}.m4s",
                map_uri=map_uri,
                duration=Fraction(ticks, piece.timescale),
                length=length,
            )
            for number, (ticks, _, length) in enumerate(piece.segments, start=len(found))
        ]
    return found


def segment_slice(track: Track, number: int) -> Slice | None:
    """Where the segment with this number lies; None when it is not there (yet)."""
    for piece in track.pieces:
        if number < len(piece.segments):
            _, offset, length = piece.segments[number]
            return Slice(piece.key, offset, length)
        number -= len(piece.segments)
    return None


def init_slice(track: Track, chunk_index: int) -> Slice | None:
    """Where the initialisation section of a chunk lies."""
    piece: Piece | None = next(
        (found for found in track.pieces if found.chunk_index == chunk_index), None
    )
    return Slice(piece.key, 0, piece.init_length) if piece else None


def allows(viewing: Viewing, timeline: Timeline, track: Track) -> bool:
    """Whether a plan includes this rung; the lowest one is in every plan, and sound has no size.

    Lines are counted along the shorter side: a film that stands upright is not larger.
    """
    if viewing.max_height is None or track.kind is not TrackKind.VIDEO:
        return True
    smallest = min(size_of(rung) for rung in timeline.tracks if rung.kind is TrackKind.VIDEO)
    return fits(viewing, size_of(track), smallest)


def fits(viewing: Viewing, lines: int, smallest: int) -> bool:
    """Whether a plan includes a picture of so many lines."""
    return viewing.max_height is None or lines <= viewing.max_height or lines == smallest


def rungs_of(viewing: Viewing, timeline: Timeline) -> list[Track]:
    """The rungs this person may play now. Raises NotPlayableYet."""
    audio = timeline.track("audio")
    rungs = [
        track
        for track in timeline.tracks
        if track.kind is TrackKind.VIDEO and track.pieces and allows(viewing, timeline, track)
    ]
    if not rungs or (audio and not audio.pieces):
        raise NotPlayableYet
    return rungs


def size_of(rung: Track) -> int:
    """How many lines a rung has, along its shorter side: 720 of 720p."""
    return min(rung.width, rung.height)


def _variant(timeline: Timeline, track: Track, audio: Track | None) -> Variant:
    """While a film grows its peak is unknown; the encoder's limit stands in for it."""
    peak, mean = bit_rates(segments_of(track))
    if not timeline.complete:
        peak = max(peak, track.max_bitrate)
    codecs = track.pieces[0].codec
    if audio and audio.pieces:
        sound_peak, sound_mean = bit_rates(segments_of(audio))
        peak, mean = peak + sound_peak, mean + sound_mean
        codecs += f",{audio.pieces[0].codec}"
    return Variant(
        uri=f"assets/{timeline.asset_id}/{track.name}/index.m3u8",
        width=track.width,
        height=track.height,
        frame_rate=timeline.frame_rate,
        codecs=codecs,
        bandwidth=peak,
        average_bandwidth=mean,
    )
