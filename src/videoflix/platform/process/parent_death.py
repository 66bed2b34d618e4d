"""Starts programs that end with their parent, even when the parent is killed with SIGKILL.

`with_parent_death_signal()` builds the command line; the module is also the script that line runs.
It becomes
another account if asked to, tells the kernel which signal to send when the parent is gone, and
turns into the program. A script instead of a `preexec_fn`, because code between fork and exec
may deadlock in a process that has threads. The kernel watches the *thread* that started the
program, so start it from one that lives as long as the process: the main thread. Linux only;
elsewhere the program runs untied.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from typing import NamedTuple

PR_SET_PDEATHSIG = 1


class Account(NamedTuple):
    """A system account, by name and numbers."""

    name: str
    uid: int
    gid: int


def with_parent_death_signal(
    program: Sequence[str], last_signal: signal.Signals, account: Account | None = None
) -> list[str]:
    """The command line that runs `program` on a tether, as `account` when we are root."""
    identity = f"{account.uid}:{account.gid}" if account else ""
    # Isolated and without site-packages the interpreter is up in about 15 ms.
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
    if sys.platform == "linux":  # after the change of account, which would clear it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(last_signal))
    if os.getppid() != int(parent):
        sys.exit("the parent is gone already")
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would pass it on
    os.execv(program[0], program)  # noqa: S606 - our own command line, no shell is wanted


if __name__ == "__main__":
    main(*sys.argv[1:])
