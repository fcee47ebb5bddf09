"""The decode child: ``python -m edge_agent.formats.child_main SOCKET_FD MEMORY_BYTES``, started by :mod:`edge_agent.formats.child`.

It confines itself (:mod:`edge_agent.formats.sandbox`) before it takes the first request, serves one request at a time and dies when
it must: by its own alarm at the deadline (so that it dies even when the parent is gone), when memory is short, and when the parent
closes the socket.
"""

import errno
import fcntl
import io
import logging
import os
import resource
import signal
import socket
import sys
import warnings
from collections.abc import Sequence
from typing import BinaryIO

import cv2

from edge_agent.domain.profile import Limits
from edge_agent.errors import DropUnavailable, EdgeAgentError, UnreadableScan
from edge_agent.formats.assemble import decode_scan
from edge_agent.formats.codec import Pixels
from edge_agent.formats.exchange import (
    ALIGNMENT,
    LENGTH,
    MAX_MEMBERS,
    MAX_REQUEST_BYTES,
    READY,
    DecodedBody,
    PlaneBody,
    Probed,
    Refused,
    Request,
    ViewBody,
    note_bodies,
    probed_body,
)
from edge_agent.formats.members import Decoded, OpenMember
from edge_agent.formats.package import open_package
from edge_agent.formats.package_replay import replay_originals
from edge_agent.formats.probe import probe
from edge_agent.formats.sandbox import confine

_OUT_OF_MEMORY = 71
_SHARE_GONE = (errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.EREMOTEIO)
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def main(arguments: Sequence[str]) -> int:
    """Serve requests until the parent closes the socket; give the exit code."""
    parent = socket.socket(fileno=int(arguments[0]))
    memory_bytes = int(arguments[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at a terminal is the parent's business
    logging.disable()  # libraries log damaged tags and values, which may be personal; the refusal says enough
    warnings.simplefilter("ignore")  # for the same reason
    cv2.setNumThreads(1)
    parent.sendmsg([READY.dump_json(confine(memory_bytes))])
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(parent, MAX_REQUEST_BYTES, MAX_MEMBERS, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            return 0  # the parent closed its end before it had read that we are ready
        if not message:
            return 0
        _serve(parent, message, descriptors, memory_bytes)


def _serve(parent: socket.socket, message: bytes, descriptors: Sequence[int], memory_bytes: int) -> None:
    """Answer one request within its deadline and memory."""
    files = [os.fdopen(descriptor, "rb") for descriptor in descriptors]
    try:
        request = Request.model_validate_json(message)
        _arm(request.profile.limits, memory_bytes)
        body, planes = _answer(request, files)
        _send(parent, body, planes)
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)  # a fresh child tells whether the file or the one before it used the memory up
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for file in files:
            file.close()


def _arm(limits: Limits, memory_bytes: int) -> None:
    """Let the kernel end this process at the deadline (SIGALRM is not caught) and refuse memory beyond the limit."""
    signal.setitimer(signal.ITIMER_REAL, limits.deadline_s)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits.max_memory_bytes, memory_bytes, hard), hard))


def _answer(request: Request, files: Sequence[BinaryIO]) -> tuple[DecodedBody | Probed | Refused, Sequence[Pixels]]:
    """Carry out a request; every failure becomes an answer, except running out of memory."""
    try:
        members = [OpenMember(m.name, m.role, f, os.fstat(f.fileno()).st_size) for m, f in zip(request.members, files, strict=True)]
        if request.task == "probe":
            return probed_body(probe(members, request.profile)), ()
        if request.task in ("package", "replay"):
            document, scan = open_package(members[0].file, request.profile.limits)
            if request.task == "replay":
                replay_originals(members[0].file, scan, request.profile.limits)
            body, pixels = _decoded_body(Decoded(scan.views, None, ()))
            return body.model_copy(update={"document": document}), pixels
        return _decoded_body(decode_scan(members, request.profile))
    except EdgeAgentError as error:
        return Refused(code=error.code, detail=error.detail, fields=tuple(error.fields.items())), ()
    except MemoryError:
        raise
    except OSError as error:
        kind = DropUnavailable if error.errno in _SHARE_GONE else UnreadableScan
        return Refused(code=kind.code, detail="a member could not be read", fields=(("errno", error.errno or 0),)), ()
    except Exception as error:  # noqa: BLE001 - the decode child's loop: hostile bytes raise anything, and the next file must be served
        fields = (("error", type(error).__name__),)
        return Refused(code=UnreadableScan.code, detail="the decoder gave up on the file", fields=fields), ()


def _decoded_body(decoded: Decoded) -> tuple[DecodedBody, Sequence[Pixels]]:
    """Describe the decoded planes, and give them in the order of their offsets."""
    arrays: list[Pixels] = []
    views: list[ViewBody] = []
    offset = 0
    for view in decoded.views:
        planes: list[PlaneBody] = []
        for plane in view.planes:
            pixels = plane.pixels
            planes.append(
                PlaneBody(
                    quantity=plane.quantity,
                    energy=plane.energy,
                    dtype="uint16" if pixels.itemsize == 2 else "uint8",
                    shape=pixels.shape,
                    offset=offset,
                    operations=plane.operations,
                    origin=plane.origin,
                )
            )
            arrays.append(pixels)
            offset += padded(pixels.nbytes)
        views.append(
            ViewBody(name=view.name, planes=tuple(planes), pitch_mm=view.pitch_mm, native=view.native, pitch_assumed=view.pitch_assumed)
        )
    notes = note_bodies(decoded.notes)
    return DecodedBody(views=tuple(views), sidecar=decoded.sidecar, notes=notes, media_types=decoded.media_types), arrays


def padded(length: int) -> int:
    """Give ``length`` rounded up to a multiple of ``ALIGNMENT``."""
    return -(-length // ALIGNMENT) * ALIGNMENT


def _send(parent: socket.socket, body: DecodedBody | Probed | Refused, planes: Sequence[Pixels]) -> None:
    """Write body and planes into a memory file, seal it against any change, and pass it on."""
    text = body.model_dump_json().encode()
    descriptor = os.memfd_create("decoded", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with io.FileIO(descriptor, "r+") as memory:
        _write(memory, text.ljust(padded(len(text)), b" "))
        for pixels in planes:
            _write(memory, pixels.data.cast("B"))
            _write(memory, bytes(padded(pixels.nbytes) - pixels.nbytes))
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        socket.send_fds(parent, [LENGTH.pack(len(text))], [descriptor])


def _write(memory: io.FileIO, data: bytes | memoryview) -> None:
    """Write all of ``data``; one call writes at most 2 GiB."""
    rest = memoryview(data)
    while rest:
        rest = rest[memory.write(rest) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
