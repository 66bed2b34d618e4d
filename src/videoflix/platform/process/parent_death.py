"""Start programs that end with their parent, even if the parent is killed (PR_SET_PDEATHSIG).

`with_parent_death_signal()` builds the command line; this module is also the script it runs. The
script switches to another account if asked to, sets the parent-death signal and executes the
program. It is a script instead of a `preexec_fn`, because code between fork and exec can deadlock
in a multi-threaded process. The kernel watches the *thread* that started the program, so start it
from the main thread. Linux only; elsewhere the program outlives its parent.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from typing import NamedTuple

PR_SET_PDEATHSIG = 1


class Account(NamedTuple):
    """A system account."""

    name: str
    uid: int
    gid: int


def with_parent_death_signal(
    program: Sequence[str], last_signal: signal.Signals, account: Account | None = None
) -> list[str]:
    """Build a command line that runs `program`, as `account`, with a parent-death signal."""
    identity = f"{account.uid}:{account.gid}" if account else ""
    # Isolated and without site-packages the interpreter starts in about 15 ms.
    launcher = [sys.executable, "-I", "-S", __file__]
    return [*launcher, str(os.getpid()), str(last_signal.value), identity, *program]


def _become(identity: str) -> None:
    uid, gid = map(int, identity.split(":"))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def main(parent: str, last_signal: str, identity: str, *program: str) -> None:
    if identity:
        _become(identity)
    if sys.platform == "linux":  # after setuid, which would clear it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(last_signal))
    if os.getppid() != int(parent):
        sys.exit("the parent is gone already")
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec inherits that
    os.execv(program[0], program)  # noqa: S606 - our own command line, no shell is wanted


if __name__ == "__main__":
    main(*sys.argv[1:])
