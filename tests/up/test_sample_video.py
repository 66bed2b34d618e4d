"""The sample film is a film: with picture, sound, and its title readable."""

from pathlib import Path

import pytest

from videoflix.media.probe.source import probe
from videoflix.up.sample_video import SECONDS, WORD, draw_light, draw_title, render


@pytest.mark.journey
async def test_renders_a_film_with_picture_and_sound(tmp_path: Path) -> None:
    told: list[float] = []
    await render(tmp_path / "film.mp4", told.append)
    film = await probe(tmp_path / "film.mp4")
    assert (film.width, film.height) == (1280, 720)
    assert film.frame_count == SECONDS * 25
    assert film.audio
    assert told == sorted(told)
    assert told[-1] > 0.9


def test_the_title_is_drawn_in_opaque_dots() -> None:
    header, _, dots = draw_title("LI").partition(b"ENDHDR\n")
    assert b"WIDTH 9\nHEIGHT 7\n" in header
    rows = [dots[row * 9 * 4 : (row + 1) * 9 * 4][3::4] for row in range(7)]
    drawn = ["".join(".#"[dot > 0] for dot in row) for row in rows]
    assert drawn == [
        "#.....###",
        "#......#.",
        "#......#.",
        "#......#.",
        "#......#.",
        "#......#.",
        "#####.###",
    ]
    assert draw_title(WORD)


def test_the_light_fades_towards_its_edge() -> None:
    dots = draw_light(9).partition(b"ENDHDR\n")[2]
    across = dots[4 * 9 * 4 : 5 * 9 * 4][3::4]
    assert across[4] == max(across)
    assert across[0] == across[8] == 0
    assert list(across[:5]) == sorted(across[:5])
