"""Restrict which files a process may access, without privileges (landlock(7), Linux 5.13)."""

import ctypes
import os
import stat
import struct

from videoflix.platform.process import libc

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION = 1
PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
TRUNCATE = 1 << 14
FIRST_RIGHTS = (1 << 13) - 1
# Rights added by later ABI versions: rename between folders, truncate, ioctl.
LATER_RIGHTS = {2: 1 << 13, 3: TRUNCATE, 5: 1 << 15}
READ = EXECUTE | READ_FILE | READ_DIR
# Creating links, sockets and devices is denied: only files and folders can be left behind.
WRITE = READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE
WRITE |= MAKE_DIR | MAKE_REG
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
TCP_FROM, TCP = 4, 3  # bind and connect
SCOPES_FROM, SCOPES = 6, 3  # abstract sockets and signals of processes outside


def restrict(readable: list[str], writable: list[str]) -> None:
    """Limit this process and its descendants to these paths; missing ones are skipped.

    PR_SET_NO_NEW_PRIVS must be set. Raises OSError if the kernel lacks Landlock.
    """
    version = libc.syscall(CREATE_RULESET, None, 0, ASK_VERSION)
    handled = FIRST_RIGHTS
    for since, right in LATER_RIGHTS.items():
        handled |= right if version >= since else 0
    attributes = struct.pack("Q", handled)
    if version >= TCP_FROM:
        attributes += struct.pack("Q", TCP)
    if version >= SCOPES_FROM:
        attributes += struct.pack("Q", SCOPES)
    ruleset = libc.syscall(CREATE_RULESET, attributes, len(attributes), 0)
    for path in readable:
        _allow(ruleset, path, READ & handled)
    for path in writable:
        _allow(ruleset, path, WRITE & handled)
    _allow(ruleset, os.devnull, (READ_FILE | WRITE_FILE | TRUNCATE) & handled)
    libc.syscall(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(os.fstat(opened).st_mode):
        rights &= OF_FILES
    rule = struct.pack("=Qi", rights, opened)
    libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, ctypes.create_string_buffer(rule, len(rule)), 0)
    os.close(opened)
