"""How subtitle files are read."""

import html
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoflix.platform.webvtt import (
    MAX_BYTES,
    MAX_CUES,
    Cue,
    InvalidSubtitles,
    parse_cues,
    to_webvtt,
)

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
    """Lines, tags, references and settings are kept; comments, styles and identifiers are not."""
    assert parse_cues(VTT) == [
        Cue(
            1.0,
            2.5,
            "Fish & chips and <peas>",
            "<v Anne>Fish&nbsp;&amp;&#10;&#10;chips</v>\nand &lt;peas&gt;",
            "align:start line:0",
        ),
        Cue(360_003.0, 360_004.0, "Now!", "<c.loud>Now!</c>"),
    ]


def test_subrip() -> None:
    assert parse_cues(SRT) == [
        Cue(1.0, 2.0, "first", "first"),
        Cue(3.0, 4.0, "second, AT&amp;T", "<i>second</i>, AT&amp;amp;T"),
    ]


@pytest.mark.parametrize(
    ("line", "text", "payload"),
    [
        ("<B>a</B> <font color=red>b</font>", "a b", "<b>a</b> b"),
        ("I <3 you", "I <3 you", "I &lt;3 you"),
        ("a < b and c > d", "a < b and c > d", "a &lt; b and c &gt; d"),
        ("see <Anna> at <12:30>", "see <Anna> at <12:30>", "see &lt;Anna&gt; at &lt;12:30&gt;"),
        ("--<s>> next", "--> next", "--&gt; next"),
        ("one\n  two  ", "one two", "one\ntwo"),
        ("{\\i1}\n<font>\none\n</font>\ntwo", "one two", "one\ntwo"),
    ],
)
def test_lines_of_subrip_are_shown_as_written(line: str, text: str, payload: str) -> None:
    [cue] = parse_cues(f"00:01.000 --> 00:02.000\n{line}".encode())
    assert (cue.text, cue.payload) == (text, payload)
    assert parse_cues(to_webvtt([cue]).encode()) == [cue]


def test_unknown_tags_of_webvtt_are_dropped() -> None:
    [cue] = parse_cues(b"WEBVTT\n\n00:01.000 --> 00:02.000\n<00:01.500><script>a</script><b.x>")
    assert (cue.text, cue.payload) == ("a", "<00:01.500>a<b.x>")


def test_subrip_places_cues_at_the_top() -> None:
    [cue] = parse_cues(b"00:00:01,000 --> 00:00:02,000\n{\\an8}above")
    assert to_webvtt([cue]).endswith("00:00:01.000 --> 00:00:02.000 line:0\nabove\n")


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


@pytest.mark.parametrize(
    ("times", "start", "end"),
    [
        ("00:00:00,000 --> 00:00:00,001", 0.0, 0.001),
        ("00:59.999 --> 01:00.000", 59.999, 60.0),
        ("00:59:59.999 --> 01:00:00.000", 3599.999, 3600.0),
        ("999:59:59.998 --> 999:59:59.999", 3_599_999.998, 3_599_999.999),
        ("  00:01.000 \t-->   00:02.000 align:start", 1.0, 2.0),
    ],
)
def test_times(times: str, start: float, end: float) -> None:
    [cue] = parse_cues(f"{times}\ntext".encode())
    assert (round(cue.start, 3), round(cue.end, 3), cue.text) == (start, end, "text")


@pytest.mark.parametrize(
    "block",
    [
        "00:02.000 --> 00:02.000\nno duration",
        "00:02.000 --> 00:01.000\nends before it begins",
        "00:01.000 --> 00:02.000\n",
        "00:01.000 --> 00:02.000\n<i></i>",
        "00:01.000 -> 00:02.000\nwrong arrow",
        "0:01.000 --> 00:02.000\none digit",
        "00:01.00 --> 00:02.00\nhundredths",
        "id\nanother line\n00:01.000 --> 00:02.000\ntext",
    ],
)
def test_blocks_that_show_nothing_are_left_out(block: str) -> None:
    assert parse_cues(f"{block}\n\n00:05.000 --> 00:06.000\nshown".encode()) == [
        Cue(5.0, 6.0, "shown", "shown")
    ]
    with pytest.raises(InvalidSubtitles, match="has times like"):
        parse_cues(block.encode())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "has times like"),
        (b"WEBVTT\n", "has times like"),
        ("00:01.000 --> 00:02.000\nümlaut".encode("latin-1"), "UTF-8"),
        (b"00:01.000 --> 00:02.000\n\0", "not a text file"),
        (b" " * (MAX_BYTES + 1), "at most 2097152 bytes"),
        (b"00:01.000 --> 00:02.000\na\n\n" * (MAX_CUES + 1), "at most 20000 cues"),
    ],
)
def test_other_files_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidSubtitles, match=message):
        parse_cues(data)


def test_largest_number_of_cues() -> None:
    assert len(parse_cues(b"00:01.000 --> 00:02.000\na\n\n" * MAX_CUES)) == MAX_CUES


MILLISECONDS = st.integers(0, 3_599_999_999)
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=20)


@st.composite
def cues(draw: st.DrawFn) -> Cue:
    start, end = sorted(draw(st.sets(MILLISECONDS, min_size=2, max_size=2)))
    words = " ".join(draw(st.lists(WORDS, min_size=1, max_size=4)))
    return Cue(start / 1000, end / 1000, words, html.escape(words, quote=False))


@given(written=st.lists(cues(), min_size=1, max_size=5))
def test_written_times_are_exact_and_text_never_breaks_the_file(written: list[Cue]) -> None:
    """Text with `-->`, `<` or `&` neither ends a cue nor begins another one."""
    text = to_webvtt(written)
    assert text.count("-->") == len(written)
    found = [(round(cue.start, 3), round(cue.end, 3)) for cue in parse_cues(text.encode())]
    assert sorted(found) == sorted((cue.start, cue.end) for cue in written)
