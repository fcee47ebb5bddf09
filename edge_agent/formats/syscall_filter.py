"""Which system calls a decode child may still make, as a classic BPF program for seccomp. Pure: numbers in, bytes out.

The program is an allow-list. What is not on it fails with EPERM; calls that no decoder can have a reason for (another program,
another process's memory) end the child at once. Numbers: the kernel's tables for x86-64 and for the generic ABI that aarch64 uses.
"""

import errno
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Machine:
    """A processor architecture. ``audit``: its AUDIT_ARCH value; ``column``: where its numbers stand in the table below."""

    audit: int
    column: int


MACHINES: Final[Mapping[str, Machine]] = MappingProxyType({"x86_64": Machine(0xC000003E, 0), "aarch64": Machine(0xC00000B7, 1)})
"""By the word that ``os.uname().machine`` gives."""

_ABSENT = -1
_CLONE_THREAD = 0x00010000
_OPEN_FOR_CHANGE = 0o3 | 0o100 | 0o1000 | 0o20000000  # access mode other than read, O_CREAT, O_TRUNC, O_TMPFILE; the same on both
_FCNTL_USED = (1, 2, 3, 4, 1030, 1033, 1034)  # F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_ADD_SEALS, F_GET_SEALS

ALLOWED: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        # the descriptors it was given, and what it answers with
        "read": (0, 63),
        "write": (1, 64),
        "readv": (19, 65),
        "writev": (20, 66),
        "pread64": (17, 67),
        "pwrite64": (18, 68),
        "lseek": (8, 62),
        "close": (3, 57),
        "fstat": (5, 80),
        "ftruncate": (77, 46),
        "dup": (32, 23),
        "dup2": (33, _ABSENT),
        "dup3": (292, 24),
        "memfd_create": (319, 279),
        "recvmsg": (47, 212),
        "sendmsg": (46, 211),
        "poll": (7, _ABSENT),
        "ppoll": (271, 73),
        # modules that are imported late: Landlock says beneath which folders
        "newfstatat": (262, 79),
        "statx": (332, 291),
        "stat": (4, _ABSENT),
        "lstat": (6, _ABSENT),
        "readlink": (89, _ABSENT),
        "readlinkat": (267, 78),
        "getdents64": (217, 61),
        "getcwd": (79, 17),
        # memory, threads of its own, time
        "mmap": (9, 222),
        "munmap": (11, 215),
        "mremap": (25, 216),
        "mprotect": (10, 226),
        "madvise": (28, 233),
        "brk": (12, 214),
        "futex": (202, 98),
        "membarrier": (324, 283),
        "set_robust_list": (273, 99),
        "rseq": (334, 293),
        "sched_yield": (24, 124),
        "sched_getaffinity": (204, 123),
        "clock_gettime": (228, 113),
        "clock_getres": (229, 114),
        "clock_nanosleep": (230, 115),
        "nanosleep": (35, 101),
        "gettimeofday": (96, 169),
        "time": (201, _ABSENT),
        "setitimer": (38, 103),
        "getitimer": (36, 102),
        "rt_sigaction": (13, 134),
        "rt_sigprocmask": (14, 135),
        "rt_sigreturn": (15, 139),
        "sigaltstack": (131, 132),
        "restart_syscall": (219, 128),
        # questions about itself, and its end
        "getpid": (39, 172),
        "gettid": (186, 178),
        "getuid": (102, 174),
        "geteuid": (107, 175),
        "getgid": (104, 176),
        "getegid": (108, 177),
        "getrlimit": (97, 163),
        "getrusage": (98, 165),
        "getrandom": (318, 278),
        "uname": (63, 160),
        "sysinfo": (99, 179),
        "exit": (60, 93),
        "exit_group": (231, 94),
    }
)
"""Calls that are allowed whatever their arguments: name -> numbers on x86-64 and aarch64."""

CHECKED: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "openat": (257, 56),
        "clone": (56, 220),
        "fcntl": (72, 25),
        "prlimit64": (302, 261),
        "tgkill": (234, 131),
        "clone3": (435, 435),
    }
)
"""Calls that are allowed for some arguments only."""

DEADLY: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "execve": (59, 221),
        "execveat": (322, 281),
        "ptrace": (101, 117),
        "process_vm_readv": (310, 270),
        "process_vm_writev": (311, 271),
        "bpf": (321, 280),
        "io_uring_setup": (425, 425),
    }
)
"""Calls that end the child with SIGSYS: nothing that decodes pictures makes them by accident."""

_LOAD_WORD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_X32_BIT = 0x40000000  # x86-64 kernels may take a second numbering; none of ours has this bit


def filter_program(machine: Machine, pid: int) -> bytes:
    """Give the program (8 bytes an instruction) for the process ``pid``, which may send signals to itself only."""
    steps = [
        _step(_LOAD_WORD, _ARCH_AT),
        _step(_JUMP_EQUAL, machine.audit, 1, 0),
        _step(_RETURN, _KILL_PROCESS),
        _step(_LOAD_WORD, _NUMBER_AT),
        _step(_JUMP_AT_LEAST, _X32_BIT, 0, 1),
        _step(_RETURN, _KILL_PROCESS),
        *_verdicts(ALLOWED, machine, _ALLOW),
        *_verdicts(DEADLY, machine, _KILL_PROCESS),
        *_verdicts({"clone3": CHECKED["clone3"]}, machine, _ERRNO | errno.ENOSYS),  # its flags lie in memory; libc then uses clone
        *_forbidding_bits(CHECKED["openat"][machine.column], 2, _OPEN_FOR_CHANGE),
        *_demanding_bit(CHECKED["clone"][machine.column], 0, _CLONE_THREAD),
        *_one_of(CHECKED["fcntl"][machine.column], 1, _FCNTL_USED),
        *_one_of(CHECKED["prlimit64"][machine.column], 0, (0,)),
        *_one_of(CHECKED["tgkill"][machine.column], 0, (pid,)),
        _step(_RETURN, _ERRNO | errno.EPERM),
    ]
    return b"".join(steps)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """Encode ``struct sock_filter``: the jumps count instructions to skip."""
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _verdicts(calls: Mapping[str, tuple[int, int]], machine: Machine, verdict: int) -> Iterator[bytes]:
    for numbers in calls.values():
        if numbers[machine.column] != _ABSENT:
            yield _step(_JUMP_EQUAL, numbers[machine.column], 0, 1)
            yield _step(_RETURN, verdict)


def _argument(index: int) -> bytes:
    """Load the lower half of an argument: flags, commands and process ids are 32 bits wide (both machines are little-endian)."""
    return _step(_LOAD_WORD, _ARGUMENTS_AT + 8 * index)


def _forbidding_bits(number: int, index: int, mask: int) -> Iterator[bytes]:
    yield _step(_JUMP_EQUAL, number, 0, 4)
    yield _argument(index)
    yield _step(_JUMP_ANY_BIT, mask, 1, 0)
    yield _step(_RETURN, _ALLOW)
    yield _step(_RETURN, _ERRNO | errno.EPERM)


def _demanding_bit(number: int, index: int, bit: int) -> Iterator[bytes]:
    yield _step(_JUMP_EQUAL, number, 0, 4)
    yield _argument(index)
    yield _step(_JUMP_ANY_BIT, bit, 0, 1)
    yield _step(_RETURN, _ALLOW)
    yield _step(_RETURN, _ERRNO | errno.EPERM)


def _one_of(number: int, index: int, values: tuple[int, ...]) -> Iterator[bytes]:
    yield _step(_JUMP_EQUAL, number, 0, 2 * len(values) + 2)
    yield _argument(index)
    for value in values:
        yield _step(_JUMP_EQUAL, value, 0, 1)
        yield _step(_RETURN, _ALLOW)
    yield _step(_RETURN, _ERRNO | errno.EPERM)
