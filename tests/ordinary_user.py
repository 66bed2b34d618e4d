"""Starts programs as an ordinary user with no_new_privs, also where root runs the tests."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from videoflix.media.ffmpeg import find_ffmpeg

ACCOUNT = 60601
PROJECT = Path(__file__).parents[1]


@contextmanager
def ordinary_user(*refused_calls: str) -> Iterator[tuple[list[str], Path]]:
    """What to put before a command line, and a folder that the user owns.

    Python may lie below a folder that only root may enter, such as /root: the programs then see
    another one in its place, which holds what they need. The kernel refuses `refused_calls`.
    """
    with tempfile.TemporaryDirectory(prefix="ordinary-user-") as name:
        folder = Path(name).resolve()
        if os.geteuid() != 0:
            yield [*_refusing(refused_calls)], folder
            return
        folder.chmod(0o755)
        home = folder / "home"
        home.mkdir()
        os.chown(home, ACCOUNT, ACCOUNT)
        script = folder / "enter.sh"
        script.write_text("\n".join(["set -e", *_mounts(folder / "view"), 'exec "$@"', ""]))
        _require(["unshare", "--mount", "sh", str(script), "true"])
        user = [f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups", "--no-new-privs"]
        enter = ["unshare", "--mount", "sh", str(script), "setpriv", *user]
        yield [*enter, *_refusing(refused_calls)], home


def _require(command: list[str]) -> None:
    for program in ("unshare", "setpriv"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"root may not mount here: {done.stderr.strip()}")


def _mounts(view: Path) -> Iterator[str]:
    """Commands that let everybody reach what the programs need."""
    needed = {Path(path).resolve() for path in (sys.base_prefix, sys.prefix, PROJECT)}
    needed.add(find_ffmpeg().resolve().parent)
    closed: set[Path] = set()
    for path in sorted(needed):
        shut = [above for above in path.parents if not above.stat().st_mode & 0o001]
        if not shut or any(other in path.parents for other in needed):
            continue
        closed.add(shut[-1])
        seen = shlex.quote(f"{view}{path}")
        yield f"mkdir -p {seen} && mount --bind {shlex.quote(str(path))} {seen}"
    for path in sorted(closed):
        yield f"mount --rbind {shlex.quote(f'{view}{path}')} {shlex.quote(str(path))}"


def _refusing(calls: tuple[str, ...]) -> list[str]:
    """Starts a program on a kernel that refuses these calls, as containers and old ones do."""
    code = f"""
import os, sys
from videoflix.platform.process import libc, seccomp
machine = os.uname().machine
architecture, clone, known = seccomp.MACHINES[machine]
known = known | {{444: "landlock_create_ruleset"}}
refused = {{number: name for number, name in known.items() if name in {calls!r}}}
seccomp.MACHINES[machine] = architecture, clone, refused
libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
if refused:
    seccomp.restrict()
os.execvp(sys.argv[1], sys.argv[1:])
"""
    return [sys.executable, "-c", code]
