"""Sandbox for programs that read untrusted files: feature detection and command lines.

The launcher (launcher.py) sets up the sandbox in each child process. This module detects once, by
starting a program, which features the machine supports, and builds the launcher's command line.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import msgspec

from videoflix.platform.process import libc
from videoflix.settings import settings

logger = logging.getLogger(__name__)

PACKAGE_ROOT = Path(__file__).parents[3]
START = (
    f"import sys; sys.path.append({str(PACKAGE_ROOT)!r});"
    " from videoflix.platform.process.launcher import run; run()"
)
# Paths that dynamically linked programs and scripts load from, across distributions.
SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/nix/store",
    "/gnu/store",
)
# In order of preference: another user and namespaces, namespaces of an ordinary user, none.
ISOLATIONS = (("user", "namespaces"), ("namespaces",), ())
RESTRICTIONS = ("landlock", "seccomp")
PROBE = [sys.executable, "-I", "-c", "import msgspec"]
PROBE_SECONDS = 30


class SandboxMissing(Exception):
    """SANDBOX=require, but this machine cannot isolate the network or files."""


class Sandbox(msgspec.Struct, frozen=True):
    """The features in use, and why each of the others is unavailable."""

    features: frozenset[str]
    refused: dict[str, str] = {}

    @property
    def isolates(self) -> dict[str, str]:
        """The isolation mechanism by resource; "no" if not isolated."""
        has = self.features.__contains__
        files = [
            name for name, how in (("mount", "namespaces"), ("landlock", "landlock")) if has(how)
        ]
        return {
            "user": "yes" if has("user") else "no",
            "network": "yes" if has("namespaces") else "seccomp" if has("seccomp") else "no",
            "files": "+".join(files) or "no",
            "processes": "yes" if has("namespaces") else "no",
            "seccomp": "yes" if has("seccomp") else "no",
        }

    @property
    def lacks(self) -> list[str]:
        return [name for name, how in self.isolates.items() if how == "no"]

    def __str__(self) -> str:
        state = " ".join(f"{name}={how}" for name, how in self.isolates.items())
        reasons = "; ".join(f"{name}: {reason}" for name, reason in self.refused.items())
        return f"{state} ({reasons})" if reasons else state


def sandbox() -> Sandbox:
    """Return the sandbox of child processes; the first call blocks for up to a second.

    Raises SandboxMissing.
    """
    if settings.sandbox == "off":
        return Sandbox(frozenset(), {"all": "SANDBOX=off"})
    found = available()
    missing = [name for name in ("network", "files") if found.isolates[name] == "no"]
    if settings.sandbox == "require" and missing:
        raise SandboxMissing(
            f"SANDBOX=require, but this machine cannot isolate {' and '.join(missing)} of programs"
            f" that read uploads: {found}. See docs/security.md, or set SANDBOX=auto."
        )
    return found


@cache
def report_sandbox() -> None:
    """Log the sandbox once. Raises SystemExit if SANDBOX=require cannot be fulfilled."""
    try:
        found = sandbox()
    except SandboxMissing as missing:
        sys.exit(str(missing))
    logger.log(logging.WARNING if found.lacks else logging.INFO, "sandbox: %s", found)


@cache
def available() -> Sandbox:
    """Detect the features that work on this machine by running a program with them."""
    if sys.platform != "linux":
        return Sandbox(frozenset(), {"all": f"{sys.platform} is not Linux"})
    if os.geteuid() == 0 and _works([*ISOLATIONS[0], *RESTRICTIONS], {}, "all"):
        return Sandbox(frozenset([*ISOLATIONS[0], *RESTRICTIONS]))
    refused: dict[str, str] = {}
    restrictions = [name for name in RESTRICTIONS if _works([name], refused, name)]
    for isolation in ISOLATIONS:
        if "user" in isolation and os.geteuid() != 0:
            refused["user"] = "not started as root"
        elif _works([*isolation, *restrictions], refused, isolation[0] if isolation else "all"):
            return Sandbox(frozenset([*isolation, *restrictions]), refused)
    return Sandbox(frozenset(), refused)


def _works(features: Sequence[str], refused: dict[str, str], name: str) -> bool:
    """Return whether a program starts with these features; store a failure under `name`."""
    command = launch_command(PROBE, ["cpu=20", f"memory={4 << 30}", "file=0"], features)
    try:
        done = subprocess.run(  # noqa: S603 - our own command line
            command, env={}, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        refused[name] = str(error)
        return False
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        refused[name] = lines[-1].removeprefix("launcher: ")
    return done.returncode == 0


def launch_command(
    argv: Sequence[str],
    limits: Sequence[str],
    features: Iterable[str],
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
) -> list[str]:
    """Build the command line that runs `argv` under the launcher, as a child of this process."""
    system = _system_paths()
    program = _program_paths(argv[0])
    named = [argv[0], *program, *map(str, reads), *map(str, writes)]
    links = {**_system_links(), **{link: to for path in named for link, to in _links(path)}}
    return [
        *(sys.executable, "-I", "-S", "-c", START),
        f"parent={os.getpid()}",
        *limits,
        *(f"feature={name}" for name in features),
        f"base={os.path.realpath(sys.base_prefix)}",
        f"hidden={os.path.realpath(settings.videoflix_home)}",
        *(f"readable={path}" for path in _outermost([*system, *program])),
        *(f"link={link}>{target}" for link, target in links.items()),
        *(f"source={os.path.realpath(path)}" for path in reads),
        *(f"writable={os.path.realpath(path)}" for path in writes),
        "--",
        *argv,
    ]


def _system() -> list[str]:
    python = [sys.prefix, sys.base_prefix, sys.exec_prefix, str(PACKAGE_ROOT)]
    further = [part.strip() for part in settings.sandbox_readable.split(",") if part.strip()]
    return [*SYSTEM, *python, *further, sys.executable]


@cache
def _system_paths() -> list[str]:
    return _outermost(_system())


@cache
def _system_links() -> dict[str, str]:
    return {link: target for path in _system() for link, target in _links(path)}


def _program_paths(program: str) -> list[str]:
    """Return the program and the folders of its libraries."""
    real = os.path.realpath(program)
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    folder = Path(real).parent
    if folder.name == "bin":
        libraries += [str(folder.with_name(name)) for name in ("lib", "lib64")]
    return [real, *(path for path in libraries if path)]


def _outermost(paths: Iterable[str]) -> list[str]:
    """Resolve paths; drop missing ones and those below others."""
    found: list[str] = []
    for path in sorted({os.path.realpath(path) for path in paths}):
        if _is(Path.exists, path) and not any(f"{path}/".startswith(f"{top}/") for top in found):
            found.append(path)
    return found


def _is(what: Callable[[Path], bool], path: str | Path) -> bool:
    """Test a path; False if a parent folder is inaccessible."""
    try:
        return what(Path(path))
    except OSError:
        return False


def _links(path: str) -> Iterator[tuple[str, str]]:
    """Yield every symlink in a path, with its target."""
    current = Path("/")
    for part in Path(path).parts[1:]:
        step = current / part
        if _is(Path.is_symlink, step):
            target = step.readlink()
            yield str(step), str(target)
            yield from _links(str(current / target))
        current = step.resolve()


def protect_memory() -> None:
    """Deny processes of the same user access to this one's memory and environment in /proc.

    This also disables debuggers and core dumps; root keeps access.
    """
    if sys.platform == "linux":
        libc.prctl(libc.PR_SET_DUMPABLE, 0)
