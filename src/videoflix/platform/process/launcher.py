"""Becomes a program that is limited and cannot reach us; what runs between it and `run()`.

One interpreter, started without site-packages, that imports as little as possible: it is up
before `pathlib` alone would be loaded. A process of its own instead of a `preexec_fn`, because
code between fork and exec may deadlock in a process that has threads. It stays as the program's
parent: it tells how the program ended, through the borders of a process namespace, and which
limit ended it.

    worker -> launcher -> first process of the namespaces -> program
"""

import os
import resource
import struct
import sys

from videoflix.platform.process import landlock, libc, namespaces, seccomp

# Numbers, as `import signal` takes longer than the rest of the start.
SIGKILL, SIGPIPE, SIGXCPU, SIGXFSZ = 9, 13, 24, 25
SETUP_FAILED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127
# An account that owns nothing and nobody else uses: outside of the ranges that distributions,
# systemd and containers give away, and below 65,536, so that it also exists inside of containers.
ACCOUNT = 60600
PROCESSES = 1024
OPEN_FILES = 1024
NICE = 10
IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
LOWEST_BEST_EFFORT = 2 << 13 | 7
FIRST_TO_KILL = "500"
ENDED = struct.Struct("=id")  # a wait status, and processor time in seconds


class Order:
    """What to start, from arguments like `cpu=60`, up to `--` and the program's own."""

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
    """Let everything else on the machine go first; best effort."""
    os.nice(NICE)
    if sys.platform != "linux":
        return
    # The kernel weighs sessions first and compares `nice` only inside of each.
    write("/proc/self/autogroup", str(NICE))
    # The program goes before the worker when memory runs out.
    write("/proc/self/oom_score_adj", FIRST_TO_KILL)
    try:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        libc.syscall(IOPRIO_SET[os.uname().machine], 1, 0, LOWEST_BEST_EFFORT)
    except (OSError, KeyError):
        return


def write(path: str, text: str) -> None:
    """Write to a file of the kernel, if it has this one and allows it."""
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError:
        return


def hand_over(order: Order) -> None:
    """Give the account the folders to write to, and let it read the sources, while we are root."""
    for path in order.writable:
        os.chown(path, ACCOUNT, ACCOUNT)
    for path in order.sources:
        mode = os.stat(path).st_mode
        if not mode & 0o004:
            os.chown(path, -1, ACCOUNT)
            os.chmod(path, mode & 0o7777 | 0o040)


def of_first_process(order: Order) -> tuple[int, float]:
    """How the program ended that runs in namespaces; when their first process ends, all end."""
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
    told = os.read(reading, ENDED.size)
    _, status, usage = os.wait4(child, 0)
    if len(told) == ENDED.size:
        return ENDED.unpack(told)
    return status, usage.ru_utime + usage.ru_stime


def first_process(order: Order, writing: int, alive: int) -> int:
    libc.prctl(libc.PR_SET_PDEATHSIG, SIGKILL)
    # Our parent cannot be asked for from in here; if it is gone, its end of a pipe is closed.
    os.set_blocking(alive, False)
    try:
        os.read(alive, 1)
    except BlockingIOError:
        namespaces.change_root(
            order.base, order.readable, order.links, order.hidden, order.sources, order.writable
        )
        os.write(writing, ENDED.pack(*of_program(order)))
        return 0
    return SETUP_FAILED


def of_program(order: Order) -> tuple[int, float]:
    """Start the program and wait for it: its wait status, and its processor time."""
    launcher = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            code = become(order, launcher)
        except OSError as error:
            code = report_error(error)
        os._exit(code)
    while True:
        ended, status, usage = os.wait4(-1, 0)  # the first process inherits orphans
        if ended == child:
            return status, usage.ru_utime + usage.ru_stime


def become(order: Order, parent: int) -> int:
    if order.changes_user:
        os.setgroups([])
        os.setresgid(ACCOUNT, ACCOUNT, ACCOUNT)
        os.setresuid(ACCOUNT, ACCOUNT, ACCOUNT)
        lower_limit(resource.RLIMIT_NPROC, PROCESSES)
    if sys.platform == "linux":
        libc.prctl(libc.PR_SET_PDEATHSIG, SIGKILL)  # last: a change of user clears it
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
    for number in (SIGPIPE, SIGXFSZ):  # Python ignores them, and exec would pass that on
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
    if sys.platform == "linux":  # macOS does not let address space be limited
        lower_limit(resource.RLIMIT_AS, order.memory_bytes)


def lower_limit(kind: int, wanted: int) -> None:
    """Lower a limit for good; one that is stricter already stays."""
    hard = resource.getrlimit(kind)[1]
    bound = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(kind, (bound, bound))


def report_error(error: OSError) -> int:
    print(f"launcher: {error}", file=sys.stderr, flush=True)
    return SETUP_FAILED


def exit_like(status: int, *, out_of_time: bool) -> None:
    """End as the program did; SIGXCPU names the limit that the kernel enforced with SIGKILL."""
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
