"""Playlists, line by line."""

from fractions import Fraction

from videoflix.playback.hls import (
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
    variant = Variant("a/720p/index.m3u8", 1280, 720, 23.976, "avc1.64001f,mp4a.40.2", 900, 700)
    text = multivariant_playlist([variant], audio_uri="a/audio/index.m3u8")
    assert text.splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Main",DEFAULT=YES,AUTOSELECT=YES,'
        'CHANNELS="2",URI="a/audio/index.m3u8"',
        '#EXT-X-STREAM-INF:BANDWIDTH=900,AVERAGE-BANDWIDTH=700,CODECS="avc1.64001f,mp4a.40.2",'
        'RESOLUTION=1280x720,FRAME-RATE=23.976,AUDIO="audio"',
        "a/720p/index.m3u8",
    ]


def test_bit_rates_are_peak_and_mean_a_second() -> None:
    quiet = MediaSegment("0.m4s", "i", Fraction(4), 500_000)
    loud = MediaSegment("1.m4s", "i", Fraction(1), 1_000_000)
    assert bit_rates([quiet, loud]) == (8_000_000, 2_400_000)
    assert bit_rates([]) == (0, 0)
