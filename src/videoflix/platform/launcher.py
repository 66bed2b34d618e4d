"""Becomes another program that is limited and dies with its parent; run as a script.

Arguments: the parent's process id, limits on CPU seconds, memory and file size in bytes, then
the program and its arguments. A script instead of a `preexec_fn`, because code between fork and
exec may deadlock in a process that has threads.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: str, cpu: str, memory: str, file: str, *program: str) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit("the parent is gone already")
    resource.setrlimit(resource.RLIMIT_CPU, (int(cpu), int(cpu) + 5))
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(file), int(file)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Python ignores it, and exec would pass that on.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execv(program[0], program)  # noqa: S606 - our own command line, no shell is wanted


if __name__ == "__main__":
    main(*sys.argv[1:])
