"""Isolate a process in its own mount, network and PID namespaces (namespaces(7)).

The new root is a tmpfs with read-only bind mounts of what a program needs, and its writable
folders. Nothing else is visible there: no application files, other videos, sockets or processes.
"""

import os
import struct

from videoflix.platform.process import libc

# CLONE_NEWNS, NEWUTS, NEWIPC, NEWPID, NEWNET.
NAMESPACES = 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000
NEW_USER = 0x10000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_RDONLY = 2, 4, 8, 1
MS_BIND, MS_RECURSIVE, MS_PRIVATE = 4096, 16384, 1 << 18
DETACH = 2
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
MOUNT_SETATTR = 442
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
RDONLY, NOSUID, NODEV, NOEXEC = 1, 2, 4, 8
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def enter(*, inside_uid: int | None) -> None:
    """Unshare namespaces; the next child becomes PID 1 of the new PID namespace.

    Without privileges this requires a user namespace, in which our UID and GID are
    `inside_uid`. Raises OSError.
    """
    if inside_uid is None:
        libc.unshare(NAMESPACES)
        return
    uid, gid = os.geteuid(), os.getegid()
    libc.unshare(NAMESPACES | NEW_USER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{inside_uid} {uid} 1"),
        ("gid_map", f"{inside_uid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def change_root(
    base: str,
    readable: list[str],
    links: list[tuple[str, str]],
    hidden: str,
    sources: list[str],
    writable: list[str],
) -> None:
    """Pivot to a root that contains only these paths, under their original names.

    `base` is any existing folder to mount on; `links` are symlinks to create. `hidden` is
    covered within `readable`; `sources` and `writable` may be below it. Raises OSError.
    """
    os.umask(0o022)
    libc.mount("", "/", "", MS_RECURSIVE | MS_PRIVATE)
    libc.mount("tmpfs", base, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    for name in ("old", "new"):
        os.mkdir(f"{base}/{name}")
    _pivot(base, f"{base}/old")
    os.chdir("/")
    libc.mount("/new", "/new", "", MS_BIND)
    for path in readable:
        _bind(path, RDONLY | NOSUID | NODEV)
    for link, target in links:
        os.makedirs(f"/new{os.path.dirname(link)}", exist_ok=True)
        try:
            os.symlink(target, f"/new{link}")
        except FileExistsError:  # part of a bind mount
            continue
    covered = os.path.isdir(f"/new{hidden}")
    if covered:
        libc.mount("tmpfs", f"/new{hidden}", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    for path in sources:
        _bind(path, RDONLY | NOSUID | NODEV | NOEXEC)
    for path in writable:
        _bind(path, NOSUID | NODEV | NOEXEC)
    for path in DEVICES:
        _bind(path, NOSUID | NOEXEC)
    if covered:
        _set(f"/new{hidden}", RDONLY, recursive=False)
    _mount_proc()
    os.chdir("/new")
    _pivot(".", ".")  # stacks the old root on the new one, to be unmounted (pivot_root(2))
    libc.unmount(".", DETACH)
    os.chdir("/")
    _set("/", RDONLY, recursive=False)


def _bind(path: str, attributes: int) -> None:
    source, target = f"/old{path}", f"/new{path}"
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif os.path.exists(source):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(target):
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o444))
    else:
        return
    libc.mount(source, target, "", MS_BIND | MS_RECURSIVE)
    _set(target, attributes, recursive=True)


def _mount_proc() -> None:
    """Mount /proc for the new PID namespace; containers that mask /proc do not allow it."""
    os.mkdir("/new/proc")
    try:
        libc.mount("proc", "/new/proc", "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except PermissionError:
        return


def _set(path: str, attributes: int, *, recursive: bool) -> None:
    """Call mount_setattr(2), Linux 5.12, which unlike a remount also applies to submounts."""
    attr = struct.pack("QQQQ", attributes, 0, 0, 0)
    flags = AT_RECURSIVE if recursive else 0
    libc.syscall(MOUNT_SETATTR, AT_FDCWD, os.fsencode(path), flags, attr, len(attr))


def _pivot(new_root: str, put_old: str) -> None:
    number = PIVOT_ROOT[os.uname().machine]
    libc.syscall(number, os.fsencode(new_root), os.fsencode(put_old))
