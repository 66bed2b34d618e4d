"""Chapters of a file, on the clock of the film."""

from videoflix.media.chapters import CHAPTERS_MAX, film_chapters
from videoflix.media.probe.result import ChapterMark


def chapters(*marks: tuple[str, float, float], origin: float = 0) -> list[tuple[str, float, float]]:
    found = film_chapters([ChapterMark(*mark) for mark in marks], origin, 60.0)
    return [(one.title, one.start, one.end) for one in found]


def test_chapters_are_ordered_and_cut_to_the_film() -> None:
    assert chapters(("B", 20, 90), ("A", -5, 20), ("C", 60, 70), ("D", -9, -5)) == [
        ("A", 0, 20),
        ("B", 20, 60),
    ]


def test_film_without_chapters() -> None:
    assert chapters() == []
    assert chapters(("after the end", 60, 70)) == []


def test_times_count_from_the_first_frame() -> None:
    assert chapters(("A", 10, 15), ("B", 15, 20), origin=10) == [("A", 0, 5), ("B", 5, 10)]


def test_none_overlaps_the_next() -> None:
    """A missing end is the next start; of nested ones, the innermost counts."""
    assert chapters(("A", 0, 50), ("B", 10, 10), ("C", 20, 15), ("D", 40, 41)) == [
        ("A", 0, 10),
        ("B", 10, 20),
        ("C", 20, 40),
        ("D", 40, 41),
    ]
    assert chapters(("Part", 0, 60), ("Scene", 0, 30)) == [("Scene", 0, 30)]


def test_titles_are_one_line_of_bounded_length() -> None:
    found = chapters((" a\n\x00 b ", 0, 1), ("", 1, 2), ("x" * 300, 2, 3))
    assert [title for title, _, _ in found] == ["a b", "Chapter 2", "x" * 200]


def test_chapters_are_bounded_in_number() -> None:
    marks = [(str(number), number / 100, (number + 1) / 100) for number in range(2000)]
    found = chapters(*marks)
    assert len(found) == CHAPTERS_MAX
    assert found[-1][2] == 5.0, "it ends where it said"
