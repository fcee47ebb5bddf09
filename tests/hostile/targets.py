"""What the fuzzer calls: every parser with nothing around it, and the law it must keep whatever it is given.

A parser may refuse with one of its documented errors. Anything else it raises is a finding: in the daemon it would cost the pixels
beside a bad side-car, or the whole scan for a bad optional member.
"""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge_agent.domain.profile import Limits
from edge_agent.errors import ConfigError, PeerError, ScanRejected
from edge_agent.formats.catalogue import CODECS
from edge_agent.formats.codec import Codec, decode_planes
from edge_agent.formats.dicos import read_headers
from edge_agent.formats.exchange import ANSWERS
from edge_agent.formats.limits import admit_header, admit_planes, admit_size
from edge_agent.formats.members import OpenMember
from edge_agent.formats.package import read_package
from edge_agent.formats.profiles import load_profile
from edge_agent.formats.raw import RawCodec
from edge_agent.formats.sidecar import read_sidecar
from tests.hostile import corpus, frames

SMALL = Limits(max_pixels=1 << 16, max_file_bytes=1 << 16, max_sidecar_bytes=1 << 16)
MAX_BYTES = 1 << 13

Target = Callable[[bytes], object]


def decoded(codec: Codec, data: bytes) -> object:
    """Take a file through every gate to its pixels, as the child does."""
    admit_size(len(data), SMALL)
    file = io.BytesIO(data)
    if not codec.sniff(data[:16]):
        return None
    header = codec.header(file, len(data))
    if header is None or not codec.is_whole(file, len(data)):
        return None
    admit_header(header, SMALL)
    admit_planes(header.planes, SMALL)
    planes = decode_planes(codec, file, header)
    assert all(isinstance(plane, np.ndarray) and plane.size for plane in planes)
    return planes


def sidecar(name: str) -> Target:
    """What reads a side-car; DICOS reports come as members."""
    profile = corpus.sidecar_profile(name)
    if name == "dicos":
        return lambda data: read_headers([OpenMember("k.tdr.dcs", "sidecar", io.BytesIO(data), len(data))], profile)
    return lambda data: read_sidecar(data, profile)


def profile(data: bytes) -> object:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        Path(file.name).write_bytes(data)
        return load_profile(Path(file.name))


def answer(data: bytes) -> object:
    """What the parent reads from a child that may have been taken over."""
    try:
        return ANSWERS.validate_json(data)
    except ValueError:
        return None


def codec_target(codec: Codec) -> Target:
    return lambda data: decoded(codec, data)


TARGETS: dict[str, Target] = {
    **{codec.name: codec_target(codec) for codec in CODECS if not codec.unavailable},
    "raw": codec_target(RawCodec(corpus.RAW_LAYOUT, 1)),
    **{f"sidecar-{name}": sidecar(name) for name in corpus.SIDECARS},
    "package": lambda data: read_package(io.BytesIO(data), SMALL),
    "profile": profile,
    "answer": answer,
    "frames": lambda data: frames.one_message(frames.split(data)),
}


def one_input(data: bytes) -> None:
    """Give ``data[1:]`` to the parser that the first byte names. Raises what the parser may not raise."""
    if len(data) < 2:
        return
    names = sorted(TARGETS)
    try:
        TARGETS[names[data[0] % len(names)]](data[1:])
    except (ScanRejected, ConfigError, PeerError):
        return


def seeds(folder: Path) -> dict[str, bytes]:
    """Good files for every target, each behind the byte that names it. ``folder``: for a package to be written in."""
    names = sorted(TARGETS)
    good = {**{seed.name: (seed.codec, seed.data) for seed in corpus.SEEDS if seed.codec in TARGETS}}
    good |= {f"sidecar-{name}": (f"sidecar-{name}", data) for name, data in corpus.SIDECARS.items()}
    good["package"] = ("package", corpus.package(folder)[1])
    good["profile"] = ("profile", corpus.PROFILE_TEXT.encode())
    for number, start in enumerate(frames.starts()):
        good[f"frames-{number}"] = ("frames", b"\xf8".join(start)[:MAX_BYTES])
    good["answer"] = ("answer", b'{"kind":"decoded","views":[],"sidecar":null,"notes":[["x",[["role","a"]]]]}')
    return {name: bytes([names.index(target)]) + data for name, (target, data) in good.items()}
