"""The parser of playlists: attribute lists, byte ranges, and texts that are no playlists."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoflix.media.conformance.m3u8 import ByteRange, NotAPlaylist, attributes, byte_range, parse

URL = "https://example.org/a/v.m3u8"
HEAD = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('A=1,B="x,y=z",C=YES', {"A": "1", "B": '"x,y=z"', "C": "YES"}),
        ("A=1, B=2", {"A": "1", "B": "2"}),
        ("", {}),
        ("A", None),
        ("A=1,A=2", None),
        ('A="1', None),
        ("a=1", None),
        ('A="1"B=2', None),
    ],
)
def test_attribute_lists(text: str, expected: dict[str, str] | None) -> None:
    assert attributes(text) == expected


@pytest.mark.parametrize(
    ("value", "previous", "expected"),
    [
        ("10@5", None, ByteRange("u", 5, 10)),
        ("10", ByteRange("u", 5, 10), ByteRange("u", 15, 10)),
        ("10", ByteRange("other", 5, 10), ByteRange("u", 0, 10)),
        ('"7@0"', None, ByteRange("u", 0, 7)),
    ],
)
def test_byte_ranges(value: str, previous: ByteRange | None, expected: ByteRange) -> None:
    assert byte_range(value, "u", previous) == expected


@pytest.mark.parametrize("value", ["", "x", "1@", "1@x", "-1@0", "@5"])
def test_nonsense_is_no_byte_range(value: str) -> None:
    if value == "1@":
        assert byte_range(value, "u", None) == ByteRange("u", 0, 1)
        return
    with pytest.raises(NotAPlaylist):
        byte_range(value, "u", None)


def test_segments_know_what_applies_to_them() -> None:
    playlist = parse(
        HEAD
        + '#EXT-X-MAP:URI="i.mp4",BYTERANGE="9@0"\n#EXTINF:4.5,title\n#EXT-X-BYTERANGE:5@9\nb.mp4\n'
        + "#EXT-X-DISCONTINUITY\n#EXTINF:2\n#EXT-X-BYTERANGE:6\n# a comment\nb.mp4\n"
        + '#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXTINF:bad\n/c.ts\n',
        URL,
    )
    base = "https://example.org/a"
    first, second, third = playlist.segments
    assert (first.source, first.duration) == (ByteRange(f"{base}/b.mp4", 9, 5), 4.5)
    assert first.map == ByteRange(f"{base}/i.mp4", 0, 9)
    assert (second.source, second.discontinuity) == (ByteRange(f"{base}/b.mp4", 14, 6), True)
    assert (third.source.uri, third.duration) == ("https://example.org/c.ts", -1.0)
    assert [found.encrypted for found in playlist.segments] == [False, False, True]
    assert [found.discontinuity for found in playlist.segments] == [False, True, False]


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with suppress(NotAPlaylist):
        assert parse(HEAD + text, URL).target == 4
