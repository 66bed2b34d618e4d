"""Formats of chapters for players: a WebVTT track, and the JSON of Apple's players."""

from collections.abc import Sequence

import msgspec

from videoflix.catalog.schemas import ChapterRead
from videoflix.platform.webvtt import Cue, to_webvtt

# DATA-ID in the multivariant playlist, and the language of titles that have none.
DATA_ID = "com.apple.hls.chapters"
UNKNOWN_LANGUAGE = "und"


def chapters_vtt(chapters: Sequence[ChapterRead]) -> str:
    """A chapters track: `<track kind="chapters">` of HTML."""
    return to_webvtt(
        Cue(found.start, found.end, found.title, escaped(found.title)) for found in chapters
    )


def escaped(title: str) -> str:
    """A title as the text of a cue, on one line (WebVTT, 3.3)."""
    text = " ".join(title.split())
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def chapters_json(chapters: Sequence[ChapterRead]) -> bytes:
    """Apple's JSON chapters, for EXT-X-SESSION-DATA with DATA_ID."""
    return msgspec.json.encode(
        [
            {
                "chapter": number,
                "start-time": found.start,
                "duration": round(found.end - found.start, 3),
                "titles": [{"language": UNKNOWN_LANGUAGE, "title": found.title}],
            }
            for number, found in enumerate(chapters, 1)
        ]
    )
