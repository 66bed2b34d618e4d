"""Files that name other files or servers: nothing they name is ever opened, by any program.

Run without the sandbox, which would hide the canary too: here only the whitelists keep it safe.
"""

import asyncio
import ctypes
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from media.clips import make_clip
from videoflix.catalog.pictures import InvalidPicture, reencode
from videoflix.media import ffmpeg, poster
from videoflix.media.encode import encode_chunk
from videoflix.media.encode_audio import AudioPart, encode_audio
from videoflix.media.ffmpeg import PIPE_FORMAT
from videoflix.media.fmp4 import InvalidOutput
from videoflix.media.mp4 import package
from videoflix.media.plan import EncodePlan, make_plan
from videoflix.media.poster import PosterFailed, decode_frames
from videoflix.media.probe.rejection import SourceRejected
from videoflix.media.probe.result import DEMUXERS
from videoflix.media.probe.source import probe
from videoflix.media.storyboard import layout_of, make_sprite
from videoflix.platform.pictures.exit_codes import NO_PICTURE
from videoflix.platform.pictures.reencode import LIMITS as PICTURE_LIMITS
from videoflix.platform.process import sandbox
from videoflix.platform.process.run import LaunchFailed, ProcessFailed, run
from videoflix.settings import settings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify tells who opens a file")

REFUSALS = (SourceRejected, ProcessFailed, InvalidOutput, PosterFailed)
HLS = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n{}#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"'
    ' mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">'
    "<BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>"
)
# What a film may be instead of a film: {path}, {name} and {http} lead to the canary.
HOSTILE = {
    "ffconcat": "ffconcat version 1.0\nfile '{path}'\n",
    "ffconcat of a neighbour": "ffconcat version 1.0\nfile {name}\nduration 2\n",
    "ffconcat of a server": "ffconcat version 1.0\nfile '{http}'\n",
    "playlist": HLS.format("", "file://{path}"),
    "playlist of a neighbour": HLS.format("", "{name}"),
    "playlist of a server": HLS.format("", "{http}"),
    "key": HLS.format('#EXT-X-KEY:METHOD=AES-128,URI="{path}"\n', "{name}"),
    "key of a server": HLS.format('#EXT-X-KEY:METHOD=AES-128,URI="{http}"\n', "{name}"),
    "map": HLS.format('#EXT-X-MAP:URI="{path}"\n', "{name}"),
    "other protocols": HLS.format("", "concat:{path}|subfile,,start,0,end,9,,:{path}"),
    "master playlist": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{http}\n",
    "playlist behind a box": "\0\0\0\x14ftypisom\0\0\2\0isom" + HLS.format("", "{path}"),
    "dash": DASH.format("file://{path}"),
    "dash of a server": DASH.format("{http}"),
    "session": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
    "redirect": "[Reference]\nRef1={http}\nRTSPtext\nrtsp://{http}\n",
    "subtitles": "1\n00:00:00,000 --> 00:00:02,000\n{path}\n\nfile {path}\n",
    "index of subtitles": "# VobSub index file, v7\nid: en, index: 0\nlangidx: 0\nfile: {path}\n",
    "drawing": '<svg xmlns="http://www.w3.org/2000/svg"><image href="file://{path}"/></svg>',
}
# The name that FFmpeg wants of playlists; other formats are told by their content.
FILM = "film.m3u8"
IN_OPEN = 0x20
SECRET = "a-secret-of-the-worker"


class Watch:
    """A file that nobody may open, and a server that nobody may connect to."""

    def __init__(self, canary: Path, server: socket.socket) -> None:
        self.canary, self.server = canary, server
        libc = ctypes.CDLL(None, use_errno=True)
        self.events = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self.events, os.fsencode(canary), IN_OPEN) > 0
        server.setblocking(False)

    def touched(self) -> list[str]:
        """What was opened since the last call."""
        found = []
        with suppress(BlockingIOError):
            found += ["canary"] if os.read(self.events, 65_536) else []
        with suppress(BlockingIOError):
            self.server.accept()[0].close()
            found.append("server")
        return found

    def write(self, kind: str, file: Path) -> Path:
        http = f"http://127.0.0.1:{self.server.getsockname()[1]}/{self.canary.name}"
        words = HOSTILE[kind].replace("{path}", str(self.canary))
        file.write_text(words.replace("{name}", self.canary.name).replace("{http}", http))
        return file


@pytest.fixture(autouse=True)
def no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    off = msgspec.structs.replace(settings, sandbox="off")
    monkeypatch.setattr(sandbox, "settings", off)


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The arguments of every ffmpeg that is started, one a line, commands apart by an empty one."""
    record, program = tmp_path / "record", tmp_path / "recorder"
    program.write_text(
        f'#!/bin/sh\n{{ printf "%s\\n" "$@"; echo; }} >> {record}\nenv >> {record}.env\n'
        f'exec {ffmpeg.find_ffmpeg()} "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(
        ffmpeg, "settings", msgspec.structs.replace(settings, ffmpeg_path=str(program))
    )
    ffmpeg.find_ffmpeg.cache_clear()
    ffmpeg.find_ffmpeg()
    (tmp_path / "record.env").unlink()
    for name in ("SECRET_KEY", "DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "A_NEW_SECRET"):
        monkeypatch.setenv(name, SECRET)
    yield record
    ffmpeg.find_ffmpeg.cache_clear()


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    clip = make_clip(tmp_path / "canary.ts", seconds=2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Watch(clip, server)


async def no_report(frames: int) -> None:
    """Nobody watches."""


async def _chunk(file: Path, plan: EncodePlan, folder: Path) -> object:
    return await encode_chunk(file, plan, plan.spans[0], folder, no_report)


async def _package_picture(file: Path, plan: EncodePlan, folder: Path) -> object:
    return await package(file, None, plan, folder)


async def _package_sound(file: Path, plan: EncodePlan, folder: Path) -> object:
    return await package(file.with_name("clip.mp4"), file, plan, folder)


async def _storyboard(file: Path, plan: EncodePlan, folder: Path) -> object:
    return await make_sprite(file, layout_of(plan), folder)


async def _sound(source: Path, plan: EncodePlan, folder: Path) -> None:
    async def never(_: AudioPart) -> None:
        raise AssertionError

    await encode_audio(source, plan, folder, never)


ENTRIES: dict[str, Callable[[Path, EncodePlan, Path], Awaitable[object]]] = {
    "chunk": _chunk,
    "sound": _sound,
    "poster": decode_frames,
    "storyboard": _storyboard,
    "package": _package_picture,
    "package with sound": _package_sound,
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_inspection_refuses(kind: str, watch: Watch, tmp_path: Path) -> None:
    with pytest.raises(SourceRejected) as refusal:
        await probe(watch.write(kind, tmp_path / FILM))
    assert refusal.value.code == "not-a-video"
    assert str(tmp_path) not in refusal.value.reason
    assert watch.touched() == []


@pytest.mark.parametrize("entry", ENTRIES)
async def test_no_program_follows(
    entry: str, watch: Watch, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even of a file that was a film when it was inspected."""
    monkeypatch.setattr(poster, "CANDIDATES", 2)
    plan = make_plan(await probe(make_clip(tmp_path / "clip.mp4", seconds=2)))
    started = len(record_of(recorded))
    recorded.with_name("record.env").unlink(missing_ok=True)  # the clip was made by the test
    for kind in HOSTILE:
        file, folder = watch.write(kind, tmp_path / FILM), tmp_path / f"{entry} {kind}"
        folder.mkdir()
        with pytest.raises(REFUSALS) as refusal:
            await ENTRIES[entry](file, plan, folder)
        assert not isinstance(refusal.value, LaunchFailed), "ffmpeg has to have read it"
        assert watch.touched() == [], kind
        assert [made for made in folder.iterdir() if made.stat().st_size > 1000] == [], kind
    commands = record_of(recorded)[started:]
    assert len(commands) >= len(HOSTILE)
    for command in commands:
        assert_pinned(command)
    assert_no_secrets(recorded)


def record_of(record: Path) -> list[list[str]]:
    return [command.splitlines() for command in record.read_text().split("\n\n") if command]


def assert_no_secrets(record: Path) -> None:
    environments = record.with_name("record.env").read_text()
    assert "PATH=" in environments
    assert SECRET not in environments


def assert_pinned(command: list[str]) -> None:
    """Each input may only be one of our formats, by no protocol but `file`."""
    places = [-1, *(n for n, option in enumerate(command) if option == "-i")]
    assert len(places) > 1
    for before, place in pairwise(places):
        options = command[before + 1 : place]
        assert options[options.index("-protocol_whitelist") + 1] == "file"
        is_pipe = command[place + 1].endswith("/decoded")  # from one of our own processes
        formats = PIPE_FORMAT if is_pipe else DEMUXERS
        assert options[options.index("-format_whitelist") + 1] == formats
        assert command[place + 1].startswith("file:/")


@pytest.mark.parametrize(
    ("kind", "claimed"),
    [
        *((kind, claimed) for kind in HOSTILE for claimed in ("jpeg", "avif")),
        ("ffconcat of a neighbour", "png"),
        ("playlist", "png"),
    ],
)
async def test_pictures_are_what_they_claim_to_be(
    kind: str, claimed: str, watch: Watch, tmp_path: Path
) -> None:
    """A picture's first bytes are looked at first; the decoder has to hold without that."""
    file = watch.write(kind, tmp_path / "picture")
    child = [sys.executable, "-I", "-m", "videoflix.platform.pictures.picture_child"]
    with pytest.raises(ProcessFailed) as failure:
        await run(
            [*child, str(file), claimed, "1000000", "webp:320x320"], PICTURE_LIMITS, reads=[file]
        )
    assert failure.value.returncode == NO_PICTURE
    assert watch.touched() == []
    with pytest.raises(InvalidPicture):
        await reencode(file.read_bytes())


async def test_pictures_with_a_playlist_behind_their_first_bytes(
    watch: Watch, tmp_path: Path
) -> None:
    for start in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"):
        file = watch.write("ffconcat", tmp_path / "picture")
        with pytest.raises(InvalidPicture):
            await reencode(start + file.read_bytes())
    assert watch.touched() == []


async def test_the_canary_sings(watch: Watch, tmp_path: Path) -> None:
    """An ffmpeg that is not pinned down follows, and the watch sees it."""
    for kind in ("ffconcat of a neighbour", "playlist"):
        file = watch.write(kind, tmp_path / FILM)
        command = [str(ffmpeg.find_ffmpeg()), "-v", "error", "-i", str(file), "-f", "null", "-"]
        process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
        await process.wait()
        assert watch.touched() == ["canary"], kind
    _, writer = await asyncio.open_connection(*watch.server.getsockname())
    writer.close()
    assert watch.touched() == ["server"]
