"""Boxes of other packagers: damaged bytes are refused, never a crash or endless work."""

import random

import pytest

from media.conformance.test_check import Files, written
from videoflix.media.conformance.boxes import Truncated, Unreadable, read_head, read_init

__all__ = ["written"]


def test_tracks_are_recognized(written: Files) -> None:
    picture, sound = read_init(written["init0.mp4"]), read_init(written["init2.mp4"])
    assert (picture.is_video, picture.width, picture.height) == (True, 160, 90)
    assert picture.codec.startswith("avc1.")
    assert (sound.is_video, sound.codec, sound.timescale) == (False, "mp4a.40.2", 44_100)


def test_head_says_how_much_of_a_fragment_is_needed(written: Files) -> None:
    init, segment = read_init(written["init0.mp4"]), written["s0-1.m4s"]
    whole = read_head(segment, init)
    assert whole is not None
    with pytest.raises(Truncated) as cut:
        read_head(segment[:200], init)
    assert read_head(segment[: cut.value.needed], init) == whole
    assert (whole.samples, whole.begins_with_key_frame, whole.end) == (50, True, len(segment))
    assert (whole.stop - whole.start) / init.timescale == 2.0


def test_damaged_bytes_are_refused_in_time(written: Files) -> None:
    numbers = random.Random(7)
    init = read_init(written["init0.mp4"])
    refused = 0
    for name in ("init0.mp4", "init2.mp4", "s0-1.m4s"):
        for _ in range(300):
            data = bytearray(written[name][:1200])
            for at in numbers.sample(range(len(data)), 3):
                data[at] = numbers.randrange(256)
            try:
                read_init(bytes(data)) if name.startswith("init") else read_head(bytes(data), init)
            except Unreadable:
                refused += 1
    assert refused > 100
