"""What a power cut leaves: replays a trace of system calls and keeps only what was flushed.

POSIX promises no more than this: the bytes of a file once it was fsynced, and a name once its
folder was.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

CALLS = "openat,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat,close"
SOCKET = "sendto,sendmsg"
LINE = re.compile(r"^(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*)$")
RESULT = re.compile(r"\) += (-?\d+)")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def traced(command: list[str], log: Path, environment: dict[str, str]) -> str:
    """Run a program under strace; what it printed."""
    strace = ["strace", "-f", "-qq", "-s", "300", "-e", f"trace={CALLS},{SOCKET}", "-o", str(log)]
    ran = subprocess.run(
        [*strace, *command], capture_output=True, text=True, env=environment, timeout=240
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout


class Disk:
    """The names and the files below a folder, as far as they would survive."""

    def __init__(self, root: Path) -> None:
        self.root = PurePosixPath(root)
        self._open: dict[int, str] = {}
        self._dirty: set[str] = set()
        self._unflushed: dict[str, set[str]] = {}
        self._names: set[str] = {str(root)}  # it was there before

    def survives(self, key: str) -> bool:
        """Whether a file would be there, whole, after a power cut now."""
        path = self.root / key
        below = [part for part in (path, *path.parents) if part.is_relative_to(self.root)]
        return str(path) not in self._dirty and all(str(part) in self._names for part in below)

    def replay(self, call: str, arguments: str, result: int) -> None:
        if result < 0:
            return
        names = QUOTED.findall(arguments)
        number = int(found[0]) if (found := re.match(r"\d+", arguments)) else -1
        if call == "openat":
            self._open[result] = names[0]
            if "O_CREAT" in arguments:
                self._dirty.add(names[0])
        elif call in {"write", "pwrite64", "writev"} and number in self._open:
            self._dirty.add(self._open[number])
        elif call in {"fsync", "fdatasync"} and number in self._open:
            self._flush(self._open[number])
        elif call.startswith("rename"):
            former, new = names
            self._dirty.discard(new)
            if former in self._dirty:
                self._dirty.add(new)
            self._names.discard(new)  # until its folder is flushed
            self._pending(new)
        elif call.startswith("mkdir"):
            self._pending(names[0])
        elif call == "close":
            self._open.pop(number, None)

    def _pending(self, path: str) -> None:
        self._unflushed.setdefault(str(PurePosixPath(path).parent), set()).add(path)

    def _flush(self, path: str) -> None:
        self._dirty.discard(path)
        self._names |= self._unflushed.pop(path, set())


def calls(log: Path) -> Iterator[tuple[str, str, int]]:
    """Each call when it was over: name, arguments, result; interrupted lines are put together."""
    begun: dict[str, str] = {}
    for line in log.read_text(errors="replace").splitlines():
        found = LINE.match(line)
        if found is None:
            continue
        thread, call, rest = found.groups()
        if rest.endswith("<unfinished ...>"):
            begun[thread] = rest.removesuffix("<unfinished ...>")
            continue
        if "resumed>" in line.split("(")[0]:
            rest = begun.pop(thread, "") + rest
        result = RESULT.search(rest)
        yield call, rest, int(result[1]) if result else 0
