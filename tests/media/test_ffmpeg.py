"""Whatever reads files of others pins down what they may be and what they may name."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from videoflix.media.ffmpeg import Input, command
from videoflix.media.probe.result import DEMUXERS

SOURCE = Path(__file__).parents[2] / "src" / "videoflix"


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_every_input_is_pinned_down(inputs: int) -> None:
    files = [Input(Path(f"/media/{n}"), ["-ss", "1"]) for n in range(inputs)]
    argv = command(files, ["file:/out.mp4"])
    places = [-1, *(n for n, option in enumerate(argv) if option == "-i")]
    assert len(places) == inputs + 1
    for before, place in pairwise(places):
        options = argv[before + 1 : place]
        for name, value in (("-protocol_whitelist", "file"), ("-format_whitelist", DEMUXERS)):
            assert options[options.index(name) + 1] == value
        assert "-max_pixels" in options
        assert argv[place + 1].startswith("file:/media/")


def test_no_protocol_or_demuxer_opens_other_files() -> None:
    named = set(DEMUXERS.split(","))
    assert not named & {"hls", "dash", "concat", "sdp", "rtsp", "applehttp", "image2", "lavfi"}


def test_there_is_one_way_to_a_command_line() -> None:
    """Only what draws its own pictures (lavfi) may use ffmpeg without it."""
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text()
        if path.name == "ffmpeg.py" or ('"-i"' not in text and "find_ffmpeg()" not in text):
            continue
        read = re.findall(r'"-i", ([^\n]*)', text)
        drawn = re.findall(r'"lavfi", "-i", ([^\n]*)', text)
        assert read == drawn or path.name == "sample_video.py", (
            f"{path}: use media.ffmpeg.run_ffmpeg"
        )
