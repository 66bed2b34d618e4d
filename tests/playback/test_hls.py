"""Playlists, line by line."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoflix.playback.hls import (
    Alternative,
    IFrameVariant,
    MediaSegment,
    Variant,
    bit_rates,
    media_playlist,
    multivariant_playlist,
)


def segment(number: int, map_uri: str = "init-0.mp4") -> MediaSegment:
    return MediaSegment(f"{number:05}.m4s", map_uri, Fraction(96096, 24000), 500_000)


def test_growing_playlist_has_no_end() -> None:
    text = media_playlist([segment(0)], target=4.004, complete=False)
    assert "#EXT-X-PLAYLIST-TYPE:EVENT" in text
    assert "ENDLIST" not in text


def test_complete_playlist_in_full() -> None:
    text = media_playlist(
        [segment(0), segment(1), segment(2, "init-2.mp4")],
        target=4.004,
        complete=True,
        query="?token=t",
    )
    assert text.splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-TARGETDURATION:5",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="init-0.mp4?token=t"',
        "#EXTINF:4.004000,",
        "00000.m4s?token=t",
        "#EXTINF:4.004000,",
        "00001.m4s?token=t",
        '#EXT-X-MAP:URI="init-2.mp4?token=t"',
        "#EXTINF:4.004000,",
        "00002.m4s?token=t",
        "#EXT-X-ENDLIST",
    ]


def test_multivariant_playlist_in_full() -> None:
    codecs = "avc1.64001f,mp4a.40.2"
    variant = Variant("a/720p/index.m3u8", 1280, 720, 23.976, codecs, 900, 700, "audio")
    main = Alternative(
        "AUDIO", "audio", "a/audio/index.m3u8", 'The "\nMain', "de-AT", True, True, channels=2
    )
    described = Alternative(
        "AUDIO", "audio", "a/audio2/index.m3u8", "Described", characteristics="public.described"
    )
    text = multivariant_playlist([variant], [main, described])
    assert text.splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="The \' Main",LANGUAGE="de-AT",'
        'DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a/audio/index.m3u8"',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Described",DEFAULT=NO,AUTOSELECT=NO,'
        'CHARACTERISTICS="public.described",URI="a/audio2/index.m3u8"',
        '#EXT-X-STREAM-INF:BANDWIDTH=900,AVERAGE-BANDWIDTH=700,CODECS="avc1.64001f,mp4a.40.2",'
        'RESOLUTION=1280x720,FRAME-RATE=23.976,AUDIO="audio"',
        "a/720p/index.m3u8",
    ]


def test_bit_rates_are_peak_and_mean_a_second() -> None:
    quiet = MediaSegment("0.m4s", "i", Fraction(4), 500_000)
    loud = MediaSegment("1.m4s", "i", Fraction(2), 1_000_000)
    assert bit_rates([quiet, loud]) == (4_000_000, 2_000_000)
    assert bit_rates([]) == (0, 0)


def test_short_end_is_no_peak_by_itself() -> None:
    """Runs of segments last at least half the target duration (RFC 8216bis, 4.4.6.2)."""
    usual = MediaSegment("0.m4s", "i", Fraction(4), 500_000)
    end = MediaSegment("1.m4s", "i", Fraction(1), 375_000)
    assert bit_rates([usual, usual, end]) == (1_400_000, 1_222_223)
    assert bit_rates([end]) == (3_000_000, 3_000_000)


def test_empty_playlist_is_complete_or_grows() -> None:
    head = media_playlist([], target=4.0, complete=False).splitlines()
    assert head[2:4] == ["#EXT-X-TARGETDURATION:4", "#EXT-X-PLAYLIST-TYPE:EVENT"]
    assert head[6:] == ["#EXT-X-START:TIME-OFFSET=0,PRECISE=YES"]
    assert media_playlist([], target=4.0, complete=True).endswith("\n#EXT-X-ENDLIST\n")


@pytest.mark.parametrize(("target", "expected"), [(4, 4), (4.0001, 5), (0.2, 1), (3.9, 4)])
def test_target_duration_is_rounded_up(target: float, expected: int) -> None:
    """No segment may be longer than it (RFC 8216bis, section 4.4.3.1)."""
    text = media_playlist([], target=target, complete=True)
    assert f"#EXT-X-TARGETDURATION:{expected}\n" in text


def test_video_without_audio_names_no_group() -> None:
    variant = Variant("v.m3u8", 640, 360, 25.0, "avc1.64001f", 900, 700)
    text = multivariant_playlist([variant, variant])
    assert "AUDIO" not in text
    assert text.count("FRAME-RATE=25.000\nv.m3u8\n") == 2


DURATIONS = st.fractions(Fraction(1, 100), 60)


@given(parts=st.lists(st.tuples(DURATIONS, st.integers(1, 10**8)), min_size=1, max_size=20))
def test_peak_is_never_below_the_mean(parts: list[tuple[Fraction, int]]) -> None:
    segments = [MediaSegment("s", "i", duration, length) for duration, length in parts]
    peak, mean = bit_rates(segments)
    assert peak >= mean
    target = max(duration for duration, _ in parts)
    long = [segment for segment in segments if segment.duration * 2 > target + 1]
    assert all(segment.length * 8 / segment.duration <= peak for segment in long)


def test_key_frames_are_byte_ranges() -> None:
    text = media_playlist([segment(0)], target=4.004, complete=True, i_frames_only=True)
    assert text.splitlines()[5:] == [
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-I-FRAMES-ONLY",
        '#EXT-X-MAP:URI="init-0.mp4"',
        "#EXTINF:4.004000,",
        "#EXT-X-BYTERANGE:500000@0",
        "00000.m4s",
        "#EXT-X-ENDLIST",
    ]


def test_audio_only_variant_and_key_frames_in_the_multivariant_playlist() -> None:
    sound = Variant("a.m3u8", 0, 0, 0, "mp4a.40.2", 140, 130, "audio")
    keys = IFrameVariant("k.m3u8", 640, 360, "avc1.64001e", 90, 80)
    assert multivariant_playlist([sound], key_frames=[keys]).splitlines()[3:] == [
        '#EXT-X-STREAM-INF:BANDWIDTH=140,AVERAGE-BANDWIDTH=130,CODECS="mp4a.40.2",AUDIO="audio"',
        "a.m3u8",
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90,AVERAGE-BANDWIDTH=80,CODECS="avc1.64001e",'
        'RESOLUTION=640x360,URI="k.m3u8"',
    ]
