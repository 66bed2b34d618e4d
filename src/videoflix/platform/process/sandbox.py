"""What keeps programs that read other people's files away from us, and what of it can be had.

The launcher (launcher.py) does the work in each child; this is our side: which features this
machine allows, found once by starting a program with them, and the command line that asks for
them.
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
# What dynamically linked programs and scripts load, wherever it is kept.
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
# With namespaces: the user as well, or else the namespace of an ordinary user.
ISOLATIONS = (("user", "namespaces"), ("namespaces",), ())
RESTRICTIONS = ("landlock", "seccomp")
PROBE = [sys.executable, "-I", "-c", "import msgspec"]
PROBE_SECONDS = 30


class SandboxMissing(Exception):
    """SANDBOX=require, and this machine cannot isolate network or files: the message says why."""


class Sandbox(msgspec.Struct, frozen=True):
    """The features in use, and by feature the reason why it cannot be had."""

    features: frozenset[str]
    refused: dict[str, str] = {}

    @property
    def isolates(self) -> dict[str, str]:
        """By what is isolated: how, or that it is not."""
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
        told = " ".join(f"{name}={how}" for name, how in self.isolates.items())
        reasons = "; ".join(f"{name}: {reason}" for name, reason in self.refused.items())
        return f"{told} ({reasons})" if reasons else told


def sandbox() -> Sandbox:
    """What children get here. Blocks for up to a second at the first call.

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
    """Log once what isolates the programs we start. Raises SystemExit if SANDBOX=require fails."""
    try:
        found = sandbox()
    except SandboxMissing as missing:
        sys.exit(str(missing))
    logger.log(logging.WARNING if found.lacks else logging.INFO, "sandbox: %s", found)


@cache
def available() -> Sandbox:
    """The features that work on this machine, each tried with a real program."""
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
    """Whether a program starts with these; if not, the reason is noted under `name`."""
    command = launch_command(PROBE, ["cpu=20", f"memory={4 << 30}", "file=0"], features)
    try:
        done = subprocess.run(  # noqa: S603 - our own command line
            command, env={}, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        refused[name] = str(error)
        return False
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        refused[name] = words[-1].removeprefix("launcher: ")
    return done.returncode == 0


def launch_command(
    argv: Sequence[str],
    limits: Sequence[str],
    features: Iterable[str],
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
) -> list[str]:
    """The command line that starts `argv` by the launcher, from this process and no other."""
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
    """The program itself and the libraries it brings along."""
    real = os.path.realpath(program)
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    folder = Path(real).parent
    if folder.name == "bin":
        libraries += [str(folder.with_name(name)) for name in ("lib", "lib64")]
    return [real, *(path for path in libraries if path)]


def _outermost(paths: Iterable[str]) -> list[str]:
    """The paths that exist, links resolved, without those below others."""
    found: list[str] = []
    for path in sorted({os.path.realpath(path) for path in paths}):
        if _is(Path.exists, path) and not any(f"{path}/".startswith(f"{top}/") for top in found):
            found.append(path)
    return found


def _is(what: Callable[[Path], bool], path: str | Path) -> bool:
    """False below a folder that this user may not enter."""
    try:
        return what(Path(path))
    except OSError:
        return False


def _links(path: str) -> Iterator[tuple[str, str]]:
    """Every symlink on the way to a path, and where it points to."""
    current = Path("/")
    for part in Path(path).parts[1:]:
        step = current / part
        if _is(Path.is_symlink, step):
            target = step.readlink()
            yield str(step), str(target)
            yield from _links(str(current / target))
        current = step.resolve()


def protect_memory() -> None:
    """Close this process's memory and environment in /proc to others of the same user.

    Also to debuggers and core dumps; root may look.
    """
    if sys.platform == "linux":
        libc.prctl(libc.PR_SET_DUMPABLE, 0)
