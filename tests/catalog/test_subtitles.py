"""How subtitle files are read."""

import time
from contextlib import suppress

import pytest

from videoflix.catalog.subtitles import MAX_BYTES, Cue, InvalidSubtitles, parse_cues, to_webvtt

VTT = b"""\xef\xbb\xbfWEBVTT - a title

STYLE
::cue { color: red }

first cue
00:01.000 --> 00:02.500 align:start line:0
<v Anne>Fish&nbsp;&amp;&#10;&#10;chips</v>
{\\i1}and &lt;peas&gt;{\\i0}

NOTE translated by B.

second cue
100:00:03.000 --> 100:00:04.000
<c.loud>Now!</c>
"""
SRT = b"""2\r
00:00:03,000 --> 00:00:04,000\r
<i>second</i>, AT&amp;T\r
\r
1\r
00:00:01,000 --> 00:00:02,000\r
first\r
\r
3\r
00:00:06,000 --> 00:00:05,000\r
ends before it begins\r
"""


def test_webvtt() -> None:
    """Comments, styles, identifiers, settings and tags are left out; references are read."""
    assert parse_cues(VTT) == [
        Cue(1.0, 2.5, "Fish & chips and <peas>"),
        Cue(360_003.0, 360_004.0, "Now!"),
    ]


def test_subrip() -> None:
    assert parse_cues(SRT) == [Cue(1.0, 2.0, "first"), Cue(3.0, 4.0, "second, AT&amp;T")]


def test_what_is_written_reads_the_same() -> None:
    cues = parse_cues(VTT)
    assert parse_cues(to_webvtt(cues).encode()) == cues


@pytest.mark.parametrize(
    "filler", ["\n", " ", "\n ", "<", "<a", "< ", "{", "{\\", "\n1", "-->", "\r"]
)
def test_large_files_are_read_in_linear_time(filler: str) -> None:
    head = "1\n00:00:01,000 --> 00:00:02,000\na<"
    data = (head + filler * ((MAX_BYTES - 100) // len(filler)) + "b").encode()
    begin = time.process_time()
    with suppress(InvalidSubtitles):
        parse_cues(data)
    assert time.process_time() - begin < 5.0
