"""Chapters of a source, on the clock of the film."""

from collections.abc import Sequence

import msgspec

from videoflix.media.probe.result import ChapterMark

CHAPTERS_MAX = 500
TITLE_MAX = 200


class ChapterSpec(msgspec.Struct, frozen=True):
    """A chapter: its title, and its start and end in seconds of the film."""

    title: str
    start: float
    end: float


def film_chapters(
    marks: Sequence[ChapterMark], origin: float, duration: float
) -> tuple[ChapterSpec, ...]:
    """Order chapters, cut them to the film, and let none overlap the next.

    `origin` is the time of the film's first frame in the source. Where several begin at the same
    time (nested ones of Matroska), the last one counts.
    """
    by_start: dict[float, ChapterMark] = {}
    for mark in sorted(marks, key=lambda found: found.start):
        start = round(max(0.0, mark.start - origin), 3)
        if start < duration and mark.end > origin:
            by_start[start] = mark
    found = list(by_start.items())[:CHAPTERS_MAX]
    following = [*(start for start, _ in found[1:]), *([duration] if found else [])]
    return tuple(
        ChapterSpec(
            title=_title(mark.title) or f"Chapter {number}",
            start=start,
            end=_end(start, round(mark.end - origin, 3), next_start),
        )
        for number, ((start, mark), next_start) in enumerate(zip(found, following, strict=True), 1)
    )


def _end(start: float, end: float, next_start: float) -> float:
    """The stated end, unless it is missing or after the next start."""
    return min(end, next_start) if end > start else next_start


def _title(text: str) -> str:
    return " ".join(text.replace("\x00", "").split())[:TITLE_MAX]
