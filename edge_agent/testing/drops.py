"""Profiles, side-cars and pictures as tests need them; every picture is drawn here, none comes from a scanner."""

import json
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.drop import Drop
from edge_agent.domain.ids import DropKey, ScannerId
from edge_agent.domain.member import DropMember
from edge_agent.domain.profile import Limits, MemberRule, Need, PlaneRule, Profile
from edge_agent.domain.scan import Energy, Quantity

SCANNER = ScannerId("gate-1")
HIGH = PlaneRule("side", Quantity.TRANSMISSION, Energy.HIGH)
LOW = PlaneRule("side", Quantity.TRANSMISSION, Energy.LOW)
PICTURE = PlaneRule("side", Quantity.DISPLAY, Energy.SINGLE)


def cargo_profile(quiet_s: float = 1.0, deadline_s: float = 10.0) -> Profile:
    """Two energies as TIFF (the low one expected only) and a JSON side-car."""
    return Profile(
        name="test-cargo",
        members=(
            MemberRule("high", r"(?P<key>.+)_high\.tif", Need.REQUIRED, deadline_s, HIGH),
            MemberRule("low", r"(?P<key>.+)_low\.tif", Need.EXPECTED, 2 * deadline_s, LOW),
            MemberRule("sidecar", r"(?P<key>.+)\.json", Need.REQUIRED, deadline_s),
        ),
        sidecar="json",
        clock="UTC",
        quiet_s=quiet_s,
        unknown_after_s=3.0,
        required_views=("side",),
    )


def picture_profile(sidecar: str = "") -> Profile:
    """One picture of any format; with ``dataform`` also a side-car and an optional stamp."""
    members = [MemberRule("picture", r"(?P<key>.+?)\.(?:jpe?g|png|tif)", Need.REQUIRED, 10.0, PICTURE)]
    if sidecar:
        members.insert(0, MemberRule("stamp", r"(?P<key>.+?)_stamp\.jpg", Need.OPTIONAL, 10.0))
        members.append(MemberRule("sidecar", r"(?P<key>.+?)\.(?:xml|json)", Need.REQUIRED, 10.0))
    return Profile("test-picture", tuple(members), sidecar, "UTC", 1.0, 3.0, ("side",), ignore=("*_snap.jpg",))


def limited(profile: Profile, limits: Limits) -> Profile:
    """The same profile with other limits."""
    return replace(profile, limits=limits)


def load_picture(height: int = 40, width: int = 60, bits: int = 16, seed: int = 0) -> NDArray[np.uint16] | NDArray[np.uint8]:
    """A made-up load: (h, w) uint16 or uint8, bright = air, darker blocks, a little noise."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width), 0.95)
    for _ in range(4):
        y, x = rng.integers(0, height), rng.integers(0, width)
        picture[y : y + height // 3, x : x + width // 3] *= rng.uniform(0.2, 0.7)
    picture *= rng.normal(1.0, 0.005, picture.shape)
    if bits == 16:
        wide: NDArray[np.uint16] = np.clip(picture * 65535, 0, 65535).astype(np.uint16)
        return wide
    narrow: NDArray[np.uint8] = np.clip(picture * 255, 0, 255).astype(np.uint8)
    return narrow


def sim_sidecar(changes: dict[str, object] | None = None) -> bytes:
    """A ``sim-sidecar/1`` document; ``changes`` replace fields."""
    document: dict[str, object] = {
        "schema": "sim-sidecar/1",
        "taken_at": "2026-03-02T17:30:00+05:30",
        "kind": "synthetic",
        "selection": "random",
        "container": "ZZZU6304941",
        "pitch_mm": [5.0, 4.0],
        "beam": "6/4 MV",
        "declared": [{"hs": "0202", "description": "frozen beef", "gross_kg": 21000.0, "packages": 800}],
        "resources": [],
    }
    return json.dumps(document | (changes or {})).encode()


def dataform(resources: tuple[str, ...] = (), extra: str = "", version: str = "V01.20") -> str:
    """A ``DataForm`` with two containers, two plates and a driver; ``extra`` goes into ``ProcessInstructions``."""
    namespace = ' xmlns="dataforms.model.cargovision.smiths.com"' if version == "V01.20" else ""
    listed = "".join(f'<Resource Type="img" IsLinked="false" IsPreview="false" IsDeleted="false">{name}</Resource>' for name in resources)
    return (
        f"<DataForm{namespace}><Version>{version}</Version><TruckId>7</TruckId><Date>2025-11-12T07:30:08.910Z</Date>"
        "<InTraining>0</InTraining><AdminData><Vehicle><PlateNumber>TST0039</PlateNumber><Trailers><Trailer>"
        "<PlateNumber>TST0040</PlateNumber><Containers><Container><ContainerId>ZZZU6304941</ContainerId><OCR>99</OCR></Container>"
        "<Container><ContainerId>ZZZU3307660</ContainerId></Container><Container><ContainerId /></Container></Containers></Trailer>"
        "</Trailers><Driver>A. Nobody</Driver></Vehicle><DeclarationID /></AdminData>"
        f"<ProcessInstructions>{extra}</ProcessInstructions><Operations><Operation Type='1'><Login>operator01</Login>"
        f"<Resources>{listed}</Resources></Operation></Operations></DataForm>"
    )


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One PNG chunk with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_file(width: int, height: int, rows: bytes, depth: int = 8, colour: int = 0) -> bytes:
    """A PNG whose header announces what it likes and whose pixel data is ``rows``."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def drop_of(key: str, *members: tuple[str, str, int, int]) -> Drop:
    """A drop from (name, role, size, mtime_ns); the paths lead nowhere."""
    return Drop(SCANNER, DropKey(key), tuple(DropMember(name, role, Path("/nowhere") / name, size, at) for name, role, size, at in members))
