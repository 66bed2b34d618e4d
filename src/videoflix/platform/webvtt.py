"""Parse subtitle files: WebVTT (W3C) and SubRip (.srt). Pure functions: no database, no HTTP."""

import html
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

MAX_BYTES = 2 * 1024 * 1024
MAX_CUES = 20_000
TIMES = re.compile(
    r"^\s*(?:(\d{1,3}):)?(\d{2}):(\d{2})[.,](\d{3})\s+-->\s+(?:(\d{1,3}):)?(\d{2}):(\d{2})[.,](\d{3})"
)
SETTINGS = re.compile(r"\b(?:vertical|line|position|size|align):[\w%.,-]{1,40}")
TAG = re.compile(r"</?([a-zA-Z]{1,8})(?:[.\s][^<>]{0,200})?>|<[\d:.]{5,13}>")
# Tags of WebVTT, and those of them that SubRip has.
WEBVTT_TAGS = frozenset({"b", "c", "i", "lang", "rt", "ruby", "u", "v"})
SUBRIP_TAGS = frozenset({"b", "i", "u"})
# Other tags that are found in SubRip files; their content is kept.
DROPPED_TAGS = frozenset({"em", "font", "s", "span", "strong"})
# Overrides of SubStation Alpha, found in SubRip files too; 7 to 9 place a cue at the top.
OVERRIDES = re.compile(r"\{\\[^}]{0,100}\}")
AT_TOP = re.compile(r"\{\\an[789]\}")


class InvalidSubtitles(ValueError):
    """The file is not a valid subtitle file; the message says why."""


class Cue(NamedTuple):
    """Text on the screen from `start` to `end`, in seconds.

    `text` is one line without markup, for search. `payload` is what players show, in WebVTT's
    syntax with its lines and tags, and `settings` is where, such as `line:0 align:start`.
    """

    start: float
    end: float
    text: str
    payload: str
    settings: str = ""


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
    read = _webvtt_payload if text.startswith("WEBVTT") else _subrip_payload
    blocks = re.split(r"\r?\n[ \t]*\r?\n", text)
    cues = [cue for block in blocks if (cue := _cue(block, read))]
    if not cues:
        raise InvalidSubtitles("No line of this file has times like 00:01:02.000 --> 00:01:04.500.")
    if len(cues) > MAX_CUES:
        raise InvalidSubtitles(f"A subtitle file can have at most {MAX_CUES} cues.")
    return sorted(cues)


def to_webvtt(cues: Iterable[Cue], header: str = "") -> str:
    """Format cues as a WebVTT file; `header` are lines such as X-TIMESTAMP-MAP."""
    blocks = [f"{_times(cue)}\n{cue.payload}" for cue in cues]
    return "\n\n".join([f"WEBVTT\n{header}".rstrip(), *blocks]) + "\n"


def _cue(block: str, read: Callable[[str], str]) -> Cue | None:
    lines = block.strip().splitlines()
    for number, line in enumerate(lines[:2]):
        if found := TIMES.match(line):
            written = "\n".join(lines[number + 1 :])
            shown = read(OVERRIDES.sub("", written)).split("\n")
            payload = "\n".join(filter(None, map(str.strip, shown)))  # an empty line ends a cue
            words = " ".join(html.unescape(TAG.sub("", payload)).split())
            start, end = _seconds(found.groups()[:4]), _seconds(found.groups()[4:])
            settings = SETTINGS.findall(line, found.end())
            if AT_TOP.search(written):
                settings.append("line:0")
            if words and end > start:
                return Cue(start, end, words, payload, " ".join(settings))
            return None
    return None


def _webvtt_payload(written: str) -> str:
    """Keep known tags and all character references."""

    def tag(found: re.Match[str]) -> str:
        return found[0] if found[1] is None or found[1] in WEBVTT_TAGS else ""

    return _rewritten(written, tag, _without_brackets)


def _subrip_payload(written: str) -> str:
    """Keep bold, italic and underlined text; SubRip has no character references."""

    def escape(text: str) -> str:
        return _without_brackets(text.replace("&", "&amp;"))

    def tag(found: re.Match[str]) -> str:
        name = (found[1] or "").lower()
        if name in SUBRIP_TAGS:
            return found[0].lower()
        return "" if name in DROPPED_TAGS else escape(found[0])

    return _rewritten(written, tag, escape)


def _rewritten(
    written: str, tag: Callable[[re.Match[str]], str], text: Callable[[str], str]
) -> str:
    """Replace each tag, and each text between tags."""
    parts, end = [], 0
    for found in TAG.finditer(written):
        parts += [text(written[end : found.start()]), tag(found)]
        end = found.end()
    return "".join(parts) + text(written[end:])


def _without_brackets(text: str) -> str:
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000


def _times(cue: Cue) -> str:
    return f"{_clock(cue.start)} --> {_clock(cue.end)} {cue.settings}".rstrip()


def _clock(seconds: float) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}.{thousandths:03}"
