"""Workers of an ordinary user with no_new_privs: they say what they lack, and films encode."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ordinary_user import ordinary_user

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux isolates programs")

TESTS = Path(__file__).parents[2]
NOWHERE = "postgresql://nobody:x@127.0.0.1:1/nothing"
START_CHECK = "from videoflix.platform.process.sandbox import report_sandbox; report_sandbox()"
LOGGED = f"from videoflix.platform.observability import logs; logs.set_up(); {START_CHECK}"
# Everything that a media program does: inspect, encode pictures and sound, choose a poster.
ENCODE = """
import asyncio, pathlib, sys
sys.path.append(sys.argv[1])
from media.clips import make_clip
from videoflix.media.encode import encode_chunk
from videoflix.media.encode_audio import encode_audio
from videoflix.media.plan import make_plan
from videoflix.media.poster import decode_frames
from videoflix.media.probe.source import probe

async def report(frames):
    pass

async def main():
    home = pathlib.Path.home()
    source = make_clip(home / "source.mp4", seconds=4)
    plan = make_plan(await probe(source))
    for name in ("chunk", "sound", "poster"):
        (home / name).mkdir()
    indexes = await encode_chunk(source, plan, plan.spans[0], home / "chunk", report)
    await encode_audio(source, plan, home / "sound", report)
    poster = (await decode_frames(source, plan, home / "poster"))[0].file
    print("rungs", len(indexes), "poster", poster.stat().st_size > 0)

asyncio.run(main())
"""
KERNELS = pytest.mark.parametrize(
    "refused",
    [(), ("unshare",), ("unshare", "landlock_create_ruleset")],
    ids=["all", "no user namespaces", "nor Landlock"],
)


def run(before: list[str], home: Path, *arguments: str, **more: str) -> str:
    """What the program says, on both of its outputs."""
    environment = os.environ | {
        "HOME": str(home),
        "VIDEOFLIX_HOME": str(home / "videoflix"),
        "DATABASE_URL": NOWHERE,
        "TMPDIR": str(home),
        "SANDBOX": "auto",
    }
    done = subprocess.run(
        [*before, sys.executable, *arguments],
        env=environment | more,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@KERNELS
def test_the_start_check_says_what_could_not_be_had(refused: tuple[str, ...]) -> None:
    with ordinary_user(*refused) as (before, home):
        said = run(before, home, "-c", LOGGED)
    assert "sandbox: user=no" in said
    assert "user: not started as root" in said
    assert "warning" in said.lower()
    if "unshare" in refused:
        assert "processes=no" in said
        assert "namespaces: [Errno 1] Operation not permitted" in said
    if "landlock_create_ruleset" in refused:
        assert "files=no" in said
        assert "landlock: " in said


@KERNELS
def test_films_encode(refused: tuple[str, ...]) -> None:
    with ordinary_user(*refused) as (before, home):
        said = run(before, home, "-c", ENCODE, str(TESTS))
    assert "poster True" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="everything that is closed is root's")
def test_folders_that_the_user_may_not_enter_are_left_out(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "codecs").mkdir()
    with ordinary_user() as (before, home):
        (home / "link").symlink_to(closed / "codecs")
        readable = f"{closed / 'codecs'},{home / 'link'}"
        said = run(before, home, "-c", LOGGED, SANDBOX_READABLE=readable)
    assert "sandbox: user=no" in said
    assert "files=no" not in said
