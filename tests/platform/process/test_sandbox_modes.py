"""SANDBOX=require, SANDBOX=off, and memory closed to others: real API and worker processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux isolates programs")

WORKER = ["-m", "videoflix.cli", "worker", "--role", "transcode"]
# Each way to start a worker of that queue.
WORKERS = {
    "videoflix": WORKER,
    "procrastinate": ["-m", "procrastinate", "--app=videoflix.worker.queue", "worker"],
    "litestar": ["-m", "litestar", "--app=videoflix.app:create_app", *WORKER[2:]],
}
DOCTOR = ["-m", "videoflix.cli", "doctor"]
API = ["-c", "import time; from videoflix.app import create_app; create_app(); time.sleep(600)"]
BYSTANDER = ["-c", "import time; time.sleep(600)"]
# A machine whose kernel knows neither namespaces nor Landlock: starts Python there.
OLD_KERNEL = """
import os, sys
from videoflix.platform.process import libc, seccomp
machine = os.uname().machine
architecture, clone, calls = seccomp.MACHINES[machine]
unshare = next(number for number, name in calls.items() if name == "unshare")
refused = {unshare: "unshare", 444: "landlock_create_ruleset"}
seccomp.MACHINES[machine] = architecture, clone, refused
libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
seccomp.restrict()
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
NOWHERE = "postgresql://nobody:x@127.0.0.1:1/nothing"
# Root reads everything; without these rights it is a user like any other.
RIGHTS = "-sys_ptrace,-perfmon,-sys_admin"
LIKE_ANY_USER = ["setpriv", f"--bounding-set={RIGHTS}"] if os.geteuid() == 0 else []


def environment(mode: str) -> dict[str, str]:
    return os.environ | {"SANDBOX": mode, "DATABASE_URL": NOWHERE, "COLUMNS": "400"}


def on_an_old_kernel(arguments: list[str], mode: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", OLD_KERNEL, *arguments],
        env=environment(mode),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def running(arguments: list[str], mode: str = "auto") -> Iterator[subprocess.Popen[str]]:
    command = [*LIKE_ANY_USER, sys.executable, *arguments]
    out = subprocess.PIPE
    with subprocess.Popen(
        command, env=environment(mode), stdout=out, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def row(output: str, name: str) -> str:
    """What the doctor says of something."""
    return next(line for line in output.splitlines() if line.split()[1:2] == [name])


@pytest.mark.parametrize("way", WORKERS)
def test_require_refuses_to_start_without_isolation(way: str) -> None:
    done = on_an_old_kernel(WORKERS[way], "require")
    assert done.returncode == 1
    assert "SANDBOX=require, but this machine cannot isolate files" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_says_that_require_cannot_be_met() -> None:
    assert row(on_an_old_kernel(DOCTOR, "require").stdout, "Sandbox").startswith("fail")


def test_off_is_said_by_the_doctor() -> None:
    done = subprocess.run(
        [sys.executable, *DOCTOR],
        env=environment("off"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = row(done.stdout, "Sandbox")
    assert found.startswith("warn")
    assert "SANDBOX=off" in found


@pytest.mark.parametrize("way", WORKERS)
def test_off_is_said_in_the_log_of_a_worker(way: str) -> None:
    with running(WORKERS[way], "off") as process:
        assert process.stdout
        said = next(line for line in process.stdout if "sandbox:" in line)
    assert "SANDBOX=off" in said
    assert "warning" in said.lower()


def readable(pid: int) -> bool:
    """Whether another process of the same user reads its environment, where passwords are."""
    reader = ["-c", f"open('/proc/{pid}/environ', 'rb').read()"]
    command = [*LIKE_ANY_USER, sys.executable, "-I", "-S", *reader]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("program", [*WORKERS.values(), API], ids=[*WORKERS, "api"])
def test_memory_is_closed_to_processes_of_the_same_user(program: list[str]) -> None:
    with running(BYSTANDER) as bystander, running(program) as process:
        assert readable(bystander.pid), "or nothing would be proven"
        for _ in range(150):
            started = b"videoflix" in command_of(process.pid)
            if started and not readable(process.pid):
                break
            time.sleep(0.2)
        assert process.poll() is None
        assert not readable(process.pid)


def command_of(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
