"""Parse subtitle files: WebVTT (W3C) and SubRip (.srt). Pure functions: no database, no HTTP."""

import html
import re
from collections.abc import Callable
from typing import NamedTuple

MAX_BYTES = 2 * 1024 * 1024
MAX_CUES = 20_000
TIMES = re.compile(
    r"^\s*(?:(\d{1,3}):)?(\d{2}):(\d{2})[.,](\d{3})\s+-->\s+(?:(\d{1,3}):)?(\d{2}):(\d{2})[.,](\d{3})"
)
TAGS = re.compile(r"<[^>]{0,200}>|\{\\[^}]{0,100}\}")


class InvalidSubtitles(ValueError):
    """The file is not a valid subtitle file; the message says why."""


class Cue(NamedTuple):
    """Text on the screen from `start` to `end`, in seconds."""

    start: float
    end: float
    text: str


def parse_cues(data: bytes) -> list[Cue]:
    """Parse a WebVTT or SubRip file; cues are ordered by time. Raises InvalidSubtitles."""
    if len(data) > MAX_BYTES:
        raise InvalidSubtitles(f"A subtitle file can have at most {MAX_BYTES} bytes.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidSubtitles("Save the subtitle file as UTF-8.") from error
    if "\x00" in text:
        raise InvalidSubtitles("This is not a text file.")
    # Character references such as `&amp;` exist in WebVTT only.
    decode = html.unescape if text.startswith("WEBVTT") else str
    blocks = re.split(r"\r?\n[ \t]*\r?\n", text)
    cues = [cue for block in blocks if (cue := _cue(block, decode))]
    if not cues:
        raise InvalidSubtitles("No line of this file has times like 00:01:02.000 --> 00:01:04.500.")
    if len(cues) > MAX_CUES:
        raise InvalidSubtitles(f"A subtitle file can have at most {MAX_CUES} cues.")
    return sorted(cues)


def to_webvtt(cues: list[Cue]) -> str:
    """Format cues as a WebVTT file."""
    blocks = [f"{_clock(c.start)} --> {_clock(c.end)}\n{_escaped(c.text)}" for c in cues]
    return "WEBVTT\n\n" + "\n\n".join(blocks) + "\n"


def _cue(block: str, decode: Callable[[str], str]) -> Cue | None:
    lines = block.strip().splitlines()
    for number, line in enumerate(lines[:2]):
        if found := TIMES.match(line):
            words = decode(TAGS.sub("", " ".join(lines[number + 1 :])))
            words = " ".join(words.split())
            start, end = _seconds(found.groups()[:4]), _seconds(found.groups()[4:])
            return Cue(start, end, words) if words and end > start else None
    return None


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000


def _clock(seconds: float) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}.{thousandths:03}"


def _escaped(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace("-->", "->")
