"""Launch a program with resource limits inside a sandbox; the helper process behind `run()`.

An interpreter without site-packages and with minimal imports, so that it starts in milliseconds. It
is a separate process instead of a `preexec_fn`, because code between fork and exec can deadlock
in a multi-threaded process. It stays the program's parent, and reports its exit status across the
PID namespace and the limit that was exceeded.

    worker -> launcher -> first process of the namespaces -> program
"""

import os
import resource
import struct
import sys
import time

from videoflix.platform.process import landlock, libc, namespaces, seccomp

# Literal numbers, as `import signal` takes longer than the rest of the start.
SIGKILL, SIGPIPE, SIGXCPU, SIGXFSZ = 9, 13, 24, 25
SETUP_FAILED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127
# An unused UID and GID: outside the ranges that distributions, systemd and containers allocate,
# and below 65,536, so that it is mapped inside containers.
ACCOUNT = 60600
PROCESSES = 1024
OPEN_FILES = 1024
NICE = 10
IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
LOWEST_BEST_EFFORT = 2 << 13 | 7
FIRST_TO_KILL = "500"
# The clock of a process's user and system time: MAKE_PROCESS_CPUCLOCK of the kernel.
CPUCLOCK_PROF = 0
EXIT_STATUS = struct.Struct("=id")  # wait status, CPU time in seconds


class Order:
    """The parsed command line: options such as `cpu=60`, then `--` and the program's arguments."""

    def __init__(self, arguments: list[str]) -> None:
        end = arguments.index("--")
        self.program = arguments[end + 1 :]
        given: dict[str, list[str]] = {}
        for argument in arguments[:end]:
            name, _, value = argument.partition("=")
            given.setdefault(name, []).append(value)
        self.parent = int(given["parent"][0])
        self.cpu_seconds = int(given["cpu"][0])
        self.memory_bytes = int(given["memory"][0])
        self.file_bytes = int(given["file"][0])
        self.features = given.get("feature", [])
        self.base = given["base"][0]
        self.hidden = given["hidden"][0]
        self.readable = given.get("readable", [])
        self.sources = given.get("source", [])
        self.writable = given.get("writable", [])
        self.links = [
            (link, to) for link, _, to in (x.partition(">") for x in given.get("link", []))
        ]

    @property
    def changes_user(self) -> bool:
        return "user" in self.features

    @property
    def has_namespaces(self) -> bool:
        return "namespaces" in self.features


def main(order: Order) -> None:
    linux = sys.platform == "linux"
    lower_limit(resource.RLIMIT_CORE, 0)
    if linux:
        libc.prctl(libc.PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != order.parent:
        sys.exit("the parent is gone already")
    lower_priority()
    if linux:
        libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    if order.changes_user:
        hand_over(order)
    if order.has_namespaces:
        namespaces.enter(inside_uid=None if order.changes_user else ACCOUNT)
        status, cpu = of_first_process(order)
    else:
        status, cpu = of_program(order)
    exit_like(status, out_of_time=cpu > order.cpu_seconds - 0.1)


def lower_priority() -> None:
    """Lower CPU and I/O priority, best effort."""
    os.nice(NICE)
    if sys.platform != "linux":
        return
    # The scheduler weighs sessions (autogroups) and compares `nice` only within each.
    write("/proc/self/autogroup", str(NICE))
    # The OOM killer picks the program before the worker.
    write("/proc/self/oom_score_adj", FIRST_TO_KILL)
    try:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        libc.syscall(IOPRIO_SET[os.uname().machine], 1, 0, LOWEST_BEST_EFFORT)
    except (OSError, KeyError):
        return


def write(path: str, text: str) -> None:
    """Write to a file in /proc, ignoring a missing file or permission."""
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError:
        return


def hand_over(order: Order) -> None:
    """Give the account ownership of the writable folders and read access to the sources."""
    for path in order.writable:
        os.chown(path, ACCOUNT, ACCOUNT)
    for path in order.sources:
        mode = os.stat(path).st_mode
        if not mode & 0o004:
            os.chown(path, -1, ACCOUNT)
            os.chmod(path, mode & 0o7777 | 0o040)


def of_first_process(order: Order) -> tuple[int, float]:
    """Run the program under an init process in new namespaces; return wait status and CPU time.

    When the init process ends, the kernel kills all processes of its PID namespace.
    """
    reading, writing = os.pipe()
    alive, held = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.close(held)
        try:
            code = first_process(order, writing, alive)
        except OSError as error:
            code = report_error(error)
        os._exit(code)
    os.close(writing)
    os.close(alive)
    received = os.read(reading, EXIT_STATUS.size)
    _, status, usage = os.wait4(child, 0)
    if len(received) == EXIT_STATUS.size:
        return EXIT_STATUS.unpack(received)
    return status, usage.ru_utime + usage.ru_stime


def first_process(order: Order, writing: int, alive: int) -> int:
    libc.prctl(libc.PR_SET_PDEATHSIG, SIGKILL)
    # The parent's PID is not visible in here; if it is gone, its end of the pipe is closed.
    os.set_blocking(alive, False)
    try:
        os.read(alive, 1)
    except BlockingIOError:
        namespaces.change_root(
            order.base, order.readable, order.links, order.hidden, order.sources, order.writable
        )
        os.write(writing, EXIT_STATUS.pack(*of_program(order)))
        return 0
    return SETUP_FAILED


def of_program(order: Order) -> tuple[int, float]:
    """Run the program; return its wait status and CPU time in seconds."""
    launcher = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            code = become(order, launcher)
        except OSError as error:
            code = report_error(error)
        os._exit(code)
    while True:
        counted = counted_cpu_time(child)
        ended, status, usage = os.wait4(-1, 0)  # PID 1 reaps orphans, too
        if ended == child:
            return status, max(counted, usage.ru_utime + usage.ru_stime)


def counted_cpu_time(child: int) -> float:
    """Wait until a process can be reaped; if it is the child, return its CPU time in seconds.

    It is counted as for RLIMIT_CPU, in whole timer ticks. On a machine that shares its CPUs with
    others this exceeds the time of wait4. Returns 0.0 for another process and on macOS.
    """
    if sys.platform != "linux":
        return 0.0
    ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    if ended is None or ended.si_pid != child:
        return 0.0
    return time.clock_gettime(~child << 3 | CPUCLOCK_PROF)


def become(order: Order, parent: int) -> int:
    if order.changes_user:
        os.setgroups([])
        os.setresgid(ACCOUNT, ACCOUNT, ACCOUNT)
        os.setresuid(ACCOUNT, ACCOUNT, ACCOUNT)
        lower_limit(resource.RLIMIT_NPROC, PROCESSES)
    if sys.platform == "linux":
        libc.prctl(libc.PR_SET_PDEATHSIG, SIGKILL)  # after setresuid, which clears it
        if os.getppid() != parent:
            return SETUP_FAILED
    os.chdir(order.writable[0] if order.writable else "/")
    os.umask(0o077)
    if "landlock" in order.features:
        devices, own = list(namespaces.DEVICES), ["/proc"] if order.has_namespaces else []
        landlock.restrict([*order.readable, *order.sources, *devices, *own], order.writable)
    limit(order)
    if "seccomp" in order.features:
        seccomp.restrict()
    for number in (SIGPIPE, SIGXFSZ):  # Python ignores them, and exec inherits that
        libc.default_action(number)
    try:
        os.execv(order.program[0], order.program)  # noqa: S606 - our own command line, no shell
    except OSError as error:
        print(f"launcher: {order.program[0]}: {error.strerror}", file=sys.stderr, flush=True)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE


def limit(order: Order) -> None:
    lower_limit(resource.RLIMIT_CPU, order.cpu_seconds)
    lower_limit(resource.RLIMIT_FSIZE, order.file_bytes)
    lower_limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    if sys.platform == "linux":  # macOS has no limit on address space
        lower_limit(resource.RLIMIT_AS, order.memory_bytes)


def lower_limit(kind: int, wanted: int) -> None:
    """Lower a soft and hard limit; a stricter one is kept."""
    hard = resource.getrlimit(kind)[1]
    bound = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(kind, (bound, bound))


def report_error(error: OSError) -> int:
    print(f"launcher: {error}", file=sys.stderr, flush=True)
    return SETUP_FAILED


def exit_like(status: int, *, out_of_time: bool) -> None:
    """Exit like the program; a SIGKILL caused by the CPU limit is reported as SIGXCPU."""
    if os.WIFEXITED(status):
        os._exit(os.WEXITSTATUS(status))
    number = os.WTERMSIG(status)
    if number == SIGKILL and out_of_time:
        number = SIGXCPU
    libc.default_action(number)
    os.kill(os.getpid(), number)
    os._exit(128 + number)


def run() -> None:
    try:
        main(Order(sys.argv[1:]))
    except OSError as error:
        sys.exit(report_error(error))
