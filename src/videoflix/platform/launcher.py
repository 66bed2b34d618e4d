"""Becomes another program that is limited; run as a script.

Arguments: limits on CPU seconds, memory and file size in bytes, then the program and its own
arguments. A script instead of a `preexec_fn`, because code between fork and exec may deadlock in
a process that has threads.
"""

import os
import resource
import signal
import sys


def limit(kind: int, wanted: int) -> None:
    """Lower a limit for good; one that is stricter already stays."""
    hard = resource.getrlimit(kind)[1]
    bound = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(kind, (bound, bound))


def main(cpu: str, memory: str, file: str, *program: str) -> None:
    limit(resource.RLIMIT_CPU, int(cpu))
    limit(resource.RLIMIT_FSIZE, int(file))
    limit(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":  # macOS does not let address space be limited
        limit(resource.RLIMIT_AS, int(memory))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it: name the limit instead
    try:
        os.execv(program[0], program)  # noqa: S606 - our own command line, no shell is wanted
    except OSError as error:
        print(f"launcher: {program[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)


if __name__ == "__main__":
    main(*sys.argv[1:])
