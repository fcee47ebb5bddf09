"""The fences around a decode child, raised by the child itself before it sees the first untrusted byte.

Resource limits, no new privileges, Landlock (reading beneath the library folders only, no TCP, no signals to others) and a seccomp
allow-list. They cannot be taken down again. What the kernel does not offer is left out and told: see :class:`SandboxReport`.
System call interfaces: landlock(7), seccomp(2), prctl(2), setrlimit(2).
"""

import ctypes
import os
import resource
import struct
import sysconfig
import zoneinfo
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import edge_agent
from edge_agent.formats.syscall_filter import MACHINES, filter_program

MAX_OPEN_FILES = 256
_MAX_TASKS = 1024  # of this user, decoders' threads among them; the filter forbids new processes altogether

_SET_NO_NEW_PRIVS = 38
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446  # the same number on every architecture
_LANDLOCK_VERSION = 1
_RULE_PATH_BENEATH = 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER = 1
_FILTER_ALL_THREADS = 1

Level = Literal["full", "partial", "none"]


@dataclass(frozen=True, slots=True)
class SandboxReport:
    """Which fences stand around a decode child.

    ``landlock``: version of the kernel's Landlock interface in force, None without it. ``limits``: name and value of each resource
    limit. ``why``: codes of what is missing, separated by commas; empty when nothing is.
    """

    landlock: int | None
    seccomp: bool
    limits: tuple[tuple[str, int], ...]
    why: str = ""

    @property
    def level(self) -> Level:
        """``full``: files, network and processes are out of reach twice over. ``none``: only resource limits and deadline hold."""
        if self.landlock is not None and self.seccomp:
            return "full"
        return "partial" if self.landlock is not None or self.seccomp else "none"


def confine(memory_bytes: int) -> SandboxReport:
    """Raise every fence that this kernel offers around the calling process, for good. It must have one thread.

    ``memory_bytes``: the most address space, and the largest answer. Takes about a millisecond.
    """
    limits = _limit(memory_bytes)
    libc = ctypes.CDLL(None, use_errno=True)
    missing: list[str] = []
    if libc.prctl(_SET_NO_NEW_PRIVS, *(ctypes.c_ulong(value) for value in (1, 0, 0, 0))) != 0:
        missing.append(f"no-new-privs-{_errno()}")
    abi, trouble = _restrict_files(libc)
    missing += trouble
    trouble = _filter_calls(libc)
    missing += trouble
    return SandboxReport(abi, not trouble, limits, ",".join(missing))


def weakest(reports: Sequence[SandboxReport]) -> SandboxReport:
    """Give the report with the fewest fences of at least one."""
    order: tuple[Level, ...] = ("none", "partial", "full")
    return min(reports, key=lambda report: order.index(report.level))


def _limit(memory_bytes: int) -> tuple[tuple[str, int], ...]:
    """Lower each limit for good, never above what it was."""
    wanted = {
        "address_space_bytes": (resource.RLIMIT_AS, memory_bytes),
        "core_bytes": (resource.RLIMIT_CORE, 0),  # a core dump would hold personal data
        "file_bytes": (resource.RLIMIT_FSIZE, memory_bytes),  # answers are memory files, to which this limit applies
        "open_files": (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        "tasks": (resource.RLIMIT_NPROC, _MAX_TASKS),
    }
    for kind, value in wanted.values():
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (most, most))
    return tuple((name, resource.getrlimit(kind)[0]) for name, (kind, _) in wanted.items())


def _restrict_files(libc: ctypes.CDLL) -> tuple[int | None, list[str]]:
    """Put Landlock in force; give the interface's version, or None with the reason."""
    abi = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    if abi < 1:
        return None, [f"no-landlock-{_errno()}"]
    attributes = _ruleset(abi)
    ruleset = libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return None, [f"no-landlock-{_errno()}"]
    try:
        for folder in readable_folders():
            _allow_reading(libc, ruleset, folder)
        if libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) != 0:
            return None, [f"no-landlock-{_errno()}"]
    finally:
        os.close(ruleset)
    return abi, []


def _ruleset(abi: int) -> bytes:
    """Give ``struct landlock_ruleset_attr`` that handles, and so forbids, all that this version of the interface knows."""
    rights = 13 + (abi >= 2) + (abi >= 3) + (abi >= 5)  # 13 file rights; then moving between folders, truncating, device ioctl
    parts = [(1 << rights) - 1]
    if abi >= 4:
        parts.append(0b11)  # binding and connecting TCP
    if abi >= 6:
        parts.append(0b11)  # abstract sockets and signals of processes outside
    return struct.pack(f"<{len(parts)}Q", *parts)


def _allow_reading(libc: ctypes.CDLL, ruleset: int, folder: Path) -> None:
    """Add a rule; a folder for which none can be added stays out of reach, which is the safe side."""
    descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        libc.syscall(_LANDLOCK_ADD, ruleset, _RULE_PATH_BENEATH, struct.pack("<Qi", _READ_FILE | _READ_FOLDER, descriptor), 0)
    finally:
        os.close(descriptor)


def readable_folders() -> tuple[Path, ...]:
    """Give the folders that stay readable: Python's library, installed packages, our own, time zones. None holds a site's data."""
    paths = sysconfig.get_paths()
    named = (*(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")), *zoneinfo.TZPATH)
    folders = (*(Path(name) for name in named), *_package_folders())
    return tuple(dict.fromkeys(folder for folder in folders if folder.is_dir()))


def _package_folders() -> Iterator[Path]:
    yield from (Path(folder) for folder in edge_agent.__path__)


def _filter_calls(libc: ctypes.CDLL) -> list[str]:
    """Install the system call filter; give the reason when that cannot be."""
    name = os.uname().machine
    machine = MACHINES.get(name)
    if machine is None:
        return [f"no-seccomp-{name}"]
    program = filter_program(machine, os.getpid())
    held = ctypes.create_string_buffer(program, len(program))
    descriptor = _Program(len(program) // 8, ctypes.addressof(held))
    done = libc.syscall(_SECCOMP[name], _SET_MODE_FILTER, _FILTER_ALL_THREADS, ctypes.byref(descriptor))
    return [] if done == 0 else [f"no-seccomp-{_errno()}"]


class _Program(ctypes.Structure):
    """``struct sock_fprog``: number of instructions, and where they lie."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def _errno() -> str:
    return os.strerror(ctypes.get_errno()).lower().replace(" ", "-")
