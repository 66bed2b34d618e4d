"""A program that a hostile file took over reaches neither us nor the machine.

Every attack is tried with each set of features that a machine may allow, and without any: there
it has to succeed, or it would prove nothing.
"""

import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from videoflix.platform.process.sandbox import Sandbox, available, launch_command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux isolates programs")

NAMESPACES, LANDLOCK, SECCOMP = "namespaces", "landlock", "seccomp"
BOUNDS = ["cpu=20", f"memory={4 << 30}", f"file={1 << 24}"]
# Which features stop it, and what it does; it failed if it raises.
ATTACKS: dict[str, tuple[set[str], str]] = {
    "environment of the worker": (
        {NAMESPACES, LANDLOCK},
        "assert b'CANARY' in open(f'/proc/{worker}/environ', 'rb').read()",
    ),
    "memory of the worker": (
        {NAMESPACES, LANDLOCK},
        "open(f'/proc/{worker}/mem', 'rb')",
    ),
    "environment of anything": (
        {NAMESPACES, LANDLOCK},
        "assert any(b'CANARY' in read(f'/proc/{n}/environ') for n in os.listdir('/proc'))",
    ),
    "secret key": ({NAMESPACES, LANDLOCK}, "open(f'{home}/secret_key').read()"),
    "password of the database": ({NAMESPACES, LANDLOCK}, "open(f'{home}/pgpass').read()"),
    "another film": ({NAMESPACES, LANDLOCK}, "open(f'{home}/media/other').read()"),
    "accounts of the machine": ({NAMESPACES, LANDLOCK}, "open('/etc/shadow').read()"),
    "change of its source": ({NAMESPACES, LANDLOCK}, "open(source, 'r+').write('x')"),
    "file beside its folder": ({NAMESPACES, LANDLOCK}, "open(f'{home}/planted', 'w')"),
    "file in /tmp": ({NAMESPACES, LANDLOCK}, "open(f'/tmp/planted-{worker}', 'w')"),
    "program of the machine": ({NAMESPACES, LANDLOCK}, "open('/usr/planted', 'w')"),
    "socket of the database": (
        {NAMESPACES, SECCOMP},
        "socket.socket(socket.AF_UNIX).connect(f'{home}/s')",
    ),
    "abstract socket": (
        {NAMESPACES, SECCOMP, LANDLOCK},
        "socket.socket(socket.AF_UNIX).connect(f'\\0{port}')",
    ),
    "TCP to this machine": (
        {NAMESPACES, SECCOMP, LANDLOCK},
        "socket.create_connection(('127.0.0.1', port), 2)",
    ),
    "UDP to this machine": (
        {NAMESPACES, SECCOMP},
        "s = socket.socket(type=socket.SOCK_DGRAM); s.connect(('127.0.0.1', port))",
    ),
    "signal to the worker": ({NAMESPACES, LANDLOCK}, "os.kill(worker, 0)"),
    "tracing the worker": (
        {NAMESPACES, SECCOMP, LANDLOCK},
        "checked(libc.ptrace(0x4206, worker, 0, 0))",  # PTRACE_SEIZE
    ),
    "namespace of its own": ({SECCOMP}, "checked(libc.unshare(0x10000000))"),
    "key ring": ({SECCOMP}, "checked(libc.syscall(250, 0, -3, 1))"),
    "symlink for us to follow": ({SECCOMP, LANDLOCK}, "os.symlink('/etc/passwd', 'link')"),
    "pipe for us to hang at": ({SECCOMP, LANDLOCK}, "os.mkfifo('pipe')"),
}
PREAMBLE = """
import ctypes, os, socket, sys
worker, port, home, source = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
libc = ctypes.CDLL(None, use_errno=True)
def checked(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), "refused")
def read(path):
    try:
        return open(path, "rb").read()
    except OSError:
        return b""
for name, code in ATTACKS.items():
    try:
        exec(code)
    except (OSError, AssertionError) as error:
        continue
    print(name, flush=True)
"""
SCRIPT = f"ATTACKS = { {name: code for name, (_, code) in ATTACKS.items()}!r}\n{PREAMBLE}"


class Target:
    """What is there to be attacked."""

    def __init__(self, home: Path, port: int, worker: int) -> None:
        self.home, self.port, self.worker = home, port, worker
        self.source, self.folder = home / "media" / "source", home / "scratch"

    def attack(self, features: set[str]) -> set[str]:
        """The attacks that succeeded."""
        arguments = [self.worker, self.port, self.home, self.source]
        program = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
        command = launch_command(program, BOUNDS, features, [self.source], [self.folder])
        done = subprocess.run(command, env={}, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return set(done.stdout.splitlines())


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    for name in ("media", "scratch"):
        (tmp_path / name).mkdir(mode=0o700)
    for name in ("secret_key", "pgpass", "media/other", "media/source"):
        (tmp_path / name).write_text("CANARY")
        (tmp_path / name).chmod(0o600)
    waiting = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(300)"]
    with (
        socket.socket(socket.AF_UNIX) as named,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        subprocess.Popen(waiting, env={"SECRET_KEY": "CANARY"}) as worker,
    ):
        port = tcp.getsockname()[1]
        named.bind(str(tmp_path / "s"))
        abstract.bind(f"\0{port}")
        for server in (named, abstract):
            server.listen()
        yield Target(tmp_path, port, worker.pid)
        worker.kill()
    Path(f"/tmp/planted-{worker.pid}").unlink(missing_ok=True)
    Path("/usr/planted").unlink(missing_ok=True)


def needs(*features: str) -> None:
    refused = available().refused
    lacking = {f: refused.get(f, "not had") for f in features if f not in available().features}
    if lacking:
        pytest.skip(f"this machine lacks {lacking}")


def is_root_with_all_rights() -> bool:
    status = Path("/proc/self/status").read_text()
    held = int(next(line for line in status.splitlines() if "CapEff" in line).split()[1], 16)
    return os.geteuid() == 0 and bool(held & 1 << 21)  # CAP_SYS_ADMIN


@pytest.mark.skipif(not is_root_with_all_rights(), reason="root with CAP_SYS_ADMIN has it all")
def test_root_gets_everything() -> None:
    assert available() == Sandbox(frozenset({"user", NAMESPACES, LANDLOCK, SECCOMP}))
    assert str(available()) == "user=yes network=yes files=mount+landlock processes=yes seccomp=yes"


@pytest.mark.skipif(os.geteuid() != 0, reason="root can do all this without a sandbox")
def test_attacks_are_real(target: Target) -> None:
    assert target.attack(set()) == set(ATTACKS)


@pytest.mark.parametrize(
    "features",
    [
        {"user", NAMESPACES, LANDLOCK, SECCOMP},
        {NAMESPACES, LANDLOCK, SECCOMP},
        {"user", NAMESPACES},
        {NAMESPACES},
        {LANDLOCK, SECCOMP},
        {LANDLOCK},
        {SECCOMP},
    ],
    ids=lambda features: "+".join(sorted(features)),
)
def test_what_features_stop(features: set[str], target: Target) -> None:
    needs(*features)
    succeeded = target.attack(features)
    stopped = {name for name, (stoppers, _) in ATTACKS.items() if stoppers & features}
    assert not succeeded & stopped
    assert {LANDLOCK, SECCOMP} - features or stopped == set(ATTACKS)


def test_the_source_is_read_and_the_folder_written(target: Target) -> None:
    """Also a source that only its owner may read, in folders that are closed to others."""
    code = "import os, sys; open('out', 'w').write(open(sys.argv[1]).read()); print(os.getuid())"
    program = [sys.executable, "-c", code, str(target.source)]
    features = available().features
    command = launch_command(program, BOUNDS, features, [target.source], [target.folder])
    done = subprocess.run(command, env={}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (target.folder / "out").read_text() == "CANARY"
    assert stat.S_IMODE((target.folder / "out").stat().st_mode) == 0o600
    assert int(done.stdout) != 0 or "namespaces" not in features


def test_nothing_outlives_the_program(tmp_path: Path) -> None:
    """Not even what left its session and its parent."""
    needs(NAMESPACES)
    beat = tmp_path / "beat"
    code = f"""
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.close(1); os.close(2)
        while True:
            with open({str(beat)!r}, "a") as file:
                file.write(".")
            time.sleep(0.02)
    os._exit(0)
while not os.path.exists({str(beat)!r}):
    time.sleep(0.01)
"""
    features = available().features
    command = launch_command([sys.executable, "-c", code], BOUNDS, features, [], [tmp_path])
    subprocess.run(command, env={}, check=True, timeout=60)
    size = beat.stat().st_size
    time.sleep(0.3)
    assert beat.stat().st_size == size
