"""A seccomp filter that denies system calls no media program needs (seccomp(2)).

It reduces the kernel's attack surface for a compromised program: no sockets, no tracing or reading
of other processes, no mounts, namespaces, keys, BPF, io_uring, links or device nodes. A deny list
instead of an allow list, because codecs and libcs use other calls with each release. Written by
hand, because the libseccomp binding needs a system library that no wheel includes.
"""

import ctypes
import errno
import os
import struct

from videoflix.platform.process import libc

PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
RETURN_ALLOW = 0x7FFF0000
RETURN_ERRNO = 0x00050000
# Opcodes of classic BPF: load word; jump if equal, greater or equal, any bit set; return.
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# Offsets in struct seccomp_data; arguments are 64 bits wide, both machines are little-endian.
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
X32_BIT = 0x40000000  # the x32 ABI's numbers of the same calls
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
NEW_NAMESPACES = 0x7E020000
CLONE3 = 435

# By machine: AUDIT_ARCH, the number of clone, and the numbers of denied calls (asm/unistd.h).
# From 424 on the numbers are the same on all machines.
COMMON = {
    425: "io_uring_setup",
    426: "io_uring_enter",
    427: "io_uring_register",
    428: "open_tree",
    429: "move_mount",
    430: "fsopen",
    431: "fsconfig",
    432: "fsmount",
    433: "fspick",
    438: "pidfd_getfd",
    442: "mount_setattr",
}
X86_64 = {
    41: "socket", 86: "link", 88: "symlink", 101: "ptrace", 103: "syslog", 133: "mknod",
    155: "pivot_root", 161: "chroot", 163: "acct", 164: "settimeofday", 165: "mount",
    166: "umount2", 167: "swapon", 168: "swapoff", 169: "reboot", 175: "init_module",
    176: "delete_module", 179: "quotactl", 227: "clock_settime", 246: "kexec_load",
    248: "add_key", 249: "request_key", 250: "keyctl", 259: "mknodat", 265: "linkat",
    266: "symlinkat", 272: "unshare", 298: "perf_event_open", 304: "open_by_handle_at",
    308: "setns", 310: "process_vm_readv", 311: "process_vm_writev", 312: "kcmp",
    313: "finit_module", 320: "kexec_file_load", 321: "bpf", 323: "userfaultfd",
}  # fmt: skip
AARCH64 = {
    198: "socket", 33: "mknodat", 36: "symlinkat", 37: "linkat", 39: "umount2", 40: "mount",
    41: "pivot_root", 51: "chroot", 60: "quotactl", 89: "acct", 97: "unshare",
    104: "kexec_load", 105: "init_module", 106: "delete_module", 112: "clock_settime",
    116: "syslog", 117: "ptrace", 142: "reboot", 170: "settimeofday", 217: "add_key",
    218: "request_key", 219: "keyctl", 224: "swapon", 225: "swapoff", 241: "perf_event_open",
    265: "open_by_handle_at", 268: "setns", 270: "process_vm_readv", 271: "process_vm_writev",
    272: "kcmp", 273: "finit_module", 280: "bpf", 282: "userfaultfd", 294: "kexec_file_load",
}  # fmt: skip
MACHINES = {
    "x86_64": (0xC000003E, 56, X86_64 | COMMON),
    "aarch64": (0xC00000B7, 220, AARCH64 | COMMON),
}


def restrict() -> None:
    """Filter this process and its descendants; PR_SET_NO_NEW_PRIVS must be set. Raises OSError."""
    program = _program(os.uname().machine)
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: number of instructions, address.
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    buffer = ctypes.create_string_buffer(header, len(header))
    libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(buffer))


def _program(machine: str) -> bytes:
    if machine not in MACHINES:
        raise OSError(errno.ENOSYS, f"no filter is known for {machine}")
    architecture, clone, refused = MACHINES[machine]
    refuse = _instruction(RETURN, RETURN_ERRNO | errno.EPERM)
    steps = [
        _instruction(LOAD, ARCHITECTURE),
        _instruction(EQUAL, architecture, skip_if_true=1),
        refuse,  # numbers differ between machines
        _instruction(LOAD, NUMBER),
        _instruction(AT_LEAST, X32_BIT, skip_if_false=1),
        refuse,
        # clone3 takes its flags in memory, which a filter cannot read; libcs fall back to clone.
        _instruction(EQUAL, CLONE3, skip_if_false=1),
        _instruction(RETURN, RETURN_ERRNO | errno.ENOSYS),
    ]
    for number in sorted(refused):
        steps += [_instruction(EQUAL, number, skip_if_false=1), refuse]
    steps += [
        _instruction(EQUAL, clone, skip_if_false=3),
        _instruction(LOAD, FIRST_ARGUMENT),
        _instruction(ANY_BIT, NEW_NAMESPACES, skip_if_false=1),
        refuse,
        _instruction(RETURN, RETURN_ALLOW),
    ]
    return b"".join(steps)


def _instruction(code: int, value: int, skip_if_true: int = 0, skip_if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, skip_if_true, skip_if_false, value)
