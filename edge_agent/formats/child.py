"""The parent's side of the decode child: opens members, passes descriptors, enforces the deadline, maps the pixels.

One :class:`DecodeChild` belongs to one decode lane and serves one request at a time. Nothing of a scanner's file is read here.
"""

import errno
import fcntl
import math
import mmap
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

import edge_agent
from edge_agent.domain.drop import ProbeResult
from edge_agent.domain.geometry import Box
from edge_agent.domain.profile import Limits, Profile
from edge_agent.domain.scan import Plane, Scan, View
from edge_agent.errors import (
    DecoderDied,
    DecoderUnavailable,
    DecodeTimedOut,
    DropUnavailable,
    EdgeAgentError,
    InconsistentScan,
    LimitExceeded,
    UnreadableScan,
    UnsupportedFormat,
)
from edge_agent.formats.exchange import (
    ALIGNMENT,
    ANSWERS,
    LENGTH,
    MAX_BODY_BYTES,
    MAX_MEMBERS,
    MAX_READY_BYTES,
    MAX_REQUEST_BYTES,
    READY,
    DecodedBody,
    MemberBody,
    PlaneBody,
    Probed,
    Refused,
    Request,
    Task,
    notes_from,
    probe_result,
)
from edge_agent.formats.members import AnyMember, Decoded, MemberFile
from edge_agent.formats.package_convert import restore, view_of
from edge_agent.formats.package_model import ScanJson
from edge_agent.formats.sandbox import SandboxReport

__all__ = ["DecodeChild", "Decoded", "MemberFile"]

_REFUSALS = {leaf.code: leaf for leaf in (UnreadableScan, UnsupportedFormat, InconsistentScan, LimitExceeded, DropUnavailable)}
_SEALED = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_ITEM_BYTES = {"uint8": 1, "uint16": 2}
_MAX_PIXELS = 1 << 30
_START_S = 60.0
_GRACE_S = 1.0


@dataclass(slots=True)
class _Running:
    """A started child. ``sandbox`` comes with its first word, when it is ready.

    ``served``: answers given so far; a death after the first may be an earlier file's doing.
    """

    process: subprocess.Popen[bytes]
    channel: socket.socket
    sandbox: SandboxReport | None = None
    served: int = 0


@dataclass(frozen=True, slots=True)
class _Mapped:
    """An answer's body and the memory behind it. ``pixels_at``: offset of the pixel part in ``memory``."""

    body: Probed | DecodedBody | Refused
    memory: mmap.mmap
    pixels_at: int


class DecodeChild:
    """A decode process with a deadline, restarted as often as it dies.

    ``memory_bytes``: the most address space a child may have; a profile's limits can ask for less, never for more. The profile's
    ``deadline_s`` bounds each call; this side waits a little longer than the child's own alarm before it kills.
    """

    def __init__(self, python: str = sys.executable, memory_bytes: int = 4 << 30) -> None:
        self._python = python
        self._memory_bytes = memory_bytes
        self._running: _Running | None = None

    def __enter__(self) -> "DecodeChild":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the running child, None when there is none."""
        return self._running.process.pid if self._running is not None else None

    def start(self) -> None:
        """Start a child if none runs, without waiting for its imports (about half a second)."""
        if self._running is not None and self._running.process.poll() is not None:
            self._discard()
        if self._running is None:
            self._running = _spawn(self._python, self._memory_bytes)

    def sandbox(self) -> SandboxReport:
        """Give the fences around the child, which is started and waited for if it is not ready.

        Raises:
            DecoderUnavailable: no child starts.
        """
        return self._started()[1]

    def probe(self, members: Sequence[AnyMember], profile: Profile) -> ProbeResult:
        """Give header facts and completeness of a drop.

        Raises:
            DecoderDied: a file of the drop ends the decoder.
            DecodeTimedOut: no answer within the profile's deadline.
            TryLater: a member cannot be opened now, or no child starts.
        """
        answer = self._ask("probe", members, profile)
        if not isinstance(answer.body, Probed):
            raise self._refusal(answer.body)
        return probe_result(answer.body)

    def decode(self, members: Sequence[AnyMember], profile: Profile) -> Decoded:
        """Give views and side-car of a scan. The pixels are read-only windows on memory that the child filled; nothing is copied.

        Raises:
            ScanRejected: one of its leaves.
            TryLater: a member cannot be opened now, or no child starts.
        """
        answer = self._ask("decode", members, profile)
        if not isinstance(answer.body, DecodedBody):
            raise self._refusal(answer.body)
        try:
            return _decoded(answer, answer.body)
        except (ValueError, KeyError) as error:
            self._discard()
            raise DecoderDied("the decoder gave pixels that cannot be", {"problem": "answer"}) from error

    def open_package(self, path: Path, limits: Limits | None = None, *, replays: bool = False) -> tuple[ScanJson, Scan]:
        """Give document and scan of a package, every digest of it verified in the child; ``replays``: against the originals in it too.

        Raises:
            ScanRejected: one of its leaves.
            TryLater: the file cannot be opened now, or no child starts.
        """
        task: Task = "replay" if replays else "package"
        answer = self._ask(task, [MemberFile(path.name, "package", path)], _package_profile(limits or Limits()))
        if not isinstance(answer.body, DecodedBody) or answer.body.document is None:
            raise self._refusal(answer.body)
        document = answer.body.document
        try:
            decoded = _decoded(answer, answer.body)
            views = tuple(view_of(part, view.planes) for part, view in zip(document.views, decoded.views, strict=True))
            return document, restore(document, views)
        except (ValueError, KeyError) as error:
            self._discard()
            raise DecoderDied("the decoder gave a package that cannot be", {"problem": "answer"}) from error

    def close(self) -> None:
        """End the child, if one runs."""
        self._discard()

    def _ask(self, task: Task, members: Sequence[AnyMember], profile: Profile) -> _Mapped:
        """Have a task done; a death of a child that had served other files before is tried once more in a fresh one."""
        request = _request(task, members, profile)
        was_used = self._started()[0].served > 0
        try:
            return self._attempt(request, members, profile.limits.deadline_s)
        except DecoderDied:
            if not was_used:
                raise
        return self._attempt(request, members, profile.limits.deadline_s)

    def _attempt(self, request: bytes, members: Sequence[AnyMember], deadline_s: float) -> _Mapped:
        running, _ = self._started()
        descriptors = _opened(members)
        try:
            _pass_on(running.channel, request, descriptors)
            mapped = _received(running.channel, deadline_s + _GRACE_S)
        except TimeoutError as error:
            running.process.kill()
            self._discard()
            raise DecodeTimedOut("the decoder did not answer before its deadline", {"deadline_s": deadline_s}) from error
        except (OSError, ValueError) as error:
            raise self._obituary(deadline_s) from error
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        running.served += 1
        return mapped

    def _started(self) -> tuple[_Running, SandboxReport]:
        """Give a child that has finished its imports and confined itself."""
        self.start()
        running = self._running
        sandbox = _first_word(running) if running is not None else None
        if running is None or sandbox is None:
            self._discard()
            raise DecoderUnavailable("the decode child does not start")
        return running, sandbox

    def _obituary(self, deadline_s: float) -> EdgeAgentError:
        """End a child that broke the conversation and say what it died of; its own alarm means the deadline."""
        code = self._discard()
        if code == -signal.SIGALRM:
            return DecodeTimedOut("the decoder did not answer before its deadline", {"deadline_s": deadline_s})
        return DecoderDied("the decoder ended without an answer", {"exit": code})

    def _discard(self) -> int:
        """End the child whatever it does, and give its exit code (0 when there was none)."""
        running, self._running = self._running, None
        if running is None:
            return 0
        running.channel.close()
        try:
            return running.process.wait(timeout=_GRACE_S)  # it ends by itself when the channel closes, unless it hangs
        except subprocess.TimeoutExpired:
            running.process.kill()
            return running.process.wait()

    def _refusal(self, body: Probed | DecodedBody | Refused) -> EdgeAgentError:
        """Give the error that a refusal names; another kind of answer than asked for means that the child is not itself any more."""
        if isinstance(body, Refused) and body.code in _REFUSALS:
            return _REFUSALS[body.code](body.detail, dict(body.fields))
        self._discard()
        return DecoderDied("the decoder gave an answer to another question", {"answer": body.kind})


def _package_profile(limits: Limits) -> Profile:
    """Give a profile that says nothing but limits: a package explains itself."""
    return Profile("package", (), "", "UTC", 1.0, 1.0, (), limits=limits)


def _spawn(python: str, memory_bytes: int) -> _Running:
    """Start a child with an environment of its own. ``-P``: the working directory is no place to import from."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {
        "PYTHONPATH": str(Path(edge_agent.__file__).parent.parent),
        "LC_ALL": "C.UTF-8",
        "OPENCV_IO_MAX_IMAGE_PIXELS": str(_MAX_PIXELS),  # must be set before OpenCV is imported
        "OPENCV_LOG_LEVEL": "SILENT",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [python, "-P", "-s", "-m", "edge_agent.formats.child_main", str(theirs.fileno()), str(memory_bytes)],
            env=environment,
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            process_group=0,
        )
    return _Running(process, ours)


def _first_word(running: _Running) -> SandboxReport | None:
    """Wait, once, for the child to say that it is ready; None when it dies, stays silent or says something else instead."""
    if running.sandbox is None:
        running.channel.settimeout(_START_S)
        try:
            running.sandbox = READY.validate_json(running.channel.recv(MAX_READY_BYTES))
        except (OSError, ValueError):
            return None
    return running.sandbox


def _request(task: Task, members: Sequence[AnyMember], profile: Profile) -> bytes:
    if len(members) > MAX_MEMBERS:
        raise LimitExceeded("a drop has more members than allowed", {"members": len(members), "allowed": MAX_MEMBERS})
    bodies = tuple(MemberBody(name=member.name, role=member.role) for member in members)
    text = Request(task=task, members=bodies, profile=profile).model_dump_json().encode()
    if len(text) > MAX_REQUEST_BYTES:
        raise LimitExceeded("the names of a drop's members are too long", {"bytes": len(text), "allowed": MAX_REQUEST_BYTES})
    return text


def _opened(members: Sequence[AnyMember]) -> list[int]:
    """Open each member for reading; give their descriptors. Raises as :func:`_open_regular`, with none left open."""
    descriptors: list[int] = []
    try:
        for member in members:  # one by one, so that those before a failure are known and closed
            descriptors.append(_open_regular(member))  # noqa: PERF401
    except EdgeAgentError:
        _close_all(descriptors)
        raise
    return descriptors


def _open_regular(member: AnyMember) -> int:
    """Open a regular file, never through a symbolic link, never waiting for a writer.

    Raises:
        DropUnavailable: it cannot be opened now.
        UnsupportedFormat: it is not a regular file.
    """
    try:
        descriptor = os.open(member.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnsupportedFormat("a member is not a regular file", {"role": member.role}) from error
        raise DropUnavailable("a member cannot be opened", {"role": member.role, "errno": error.errno or 0}) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnsupportedFormat("a member is not a regular file", {"role": member.role})
    return descriptor


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _pass_on(channel: socket.socket, request: bytes, descriptors: Sequence[int]) -> None:
    channel.settimeout(_GRACE_S)
    if descriptors:
        socket.send_fds(channel, [request], descriptors)
    else:
        channel.send(request)


def _received(channel: socket.socket, timeout_s: float) -> _Mapped:
    """Wait for one answer and map it.

    Raises:
        TimeoutError: none came in time.
        OSError: the child is gone, or what it passed is no memory file.
        ValueError: what came is not an answer.
    """
    channel.settimeout(timeout_s)
    head, descriptors, _, _ = socket.recv_fds(channel, LENGTH.size, 1, socket.MSG_CMSG_CLOEXEC)
    try:
        if len(head) != LENGTH.size or len(descriptors) != 1:
            raise ValueError("no answer came")
        memory = _sealed_memory(descriptors[0])
    finally:
        _close_all(descriptors)
    (length,) = LENGTH.unpack(head)
    if length > min(len(memory), MAX_BODY_BYTES):
        raise ValueError("the answer is longer than it can be")
    return _Mapped(ANSWERS.validate_json(memory[:length]), memory, -(-length // ALIGNMENT) * ALIGNMENT)


def _sealed_memory(descriptor: int) -> mmap.mmap:
    """Map a memory file for reading. Unsealed, the child could shrink it later, and touching the pixels would kill this process."""
    if fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _SEALED != _SEALED:
        raise ValueError("the answer is not sealed")
    # private: kernels before 6.7 refuse a shared mapping of a sealed file; without a write both are the same pages
    return mmap.mmap(descriptor, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)


def _decoded(answer: _Mapped, body: DecodedBody) -> Decoded:
    """Build the views over the mapped memory.

    Raises:
        ValueError, KeyError: a plane lies outside the memory or is none, or its operations make no sense.
    """
    views = tuple(
        View(view.name, tuple(_plane(answer, plane) for plane in view.planes), view.pitch_mm, view.pitch_assumed, view.native)
        for view in body.views
    )
    for view in views:
        view.to_native(Box(0, 0, 1, 1))  # recorded crops that nobody could undo are refused here, not when a box is drawn
    return Decoded(views, body.sidecar, notes_from(body.notes), body.media_types)


def _plane(answer: _Mapped, body: PlaneBody) -> Plane:
    count = math.prod(body.shape)
    start = answer.pixels_at + body.offset
    if min(body.shape) <= 0 or start + count * _ITEM_BYTES[body.dtype] > len(answer.memory):
        raise ValueError("a plane that is not in the memory")
    if body.dtype == "uint16":
        wide = np.frombuffer(answer.memory, dtype=np.uint16, count=count, offset=start)
        return Plane(body.quantity, body.energy, wide.reshape(body.shape), body.operations, body.origin)
    narrow = np.frombuffer(answer.memory, dtype=np.uint8, count=count, offset=start)
    return Plane(body.quantity, body.energy, narrow.reshape(body.shape), body.operations, body.origin)
