"""The hostile corpus: from good little files of every format to thousands of bad ones, the same on every run.

A new codec is picked up by one line in ``SEEDS``, a new side-car reader by one in ``SIDECARS``.
"""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import cv2
import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.geometry import Box
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.layout import HeaderField, RawLayout
from edge_agent.domain.profile import Limits, Profile
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.domain.sidecar_map import DocumentKind, SidecarMap
from edge_agent.formats.dicos_write import Report, ThreatObject, dx_bytes, image_uid, tdr_bytes
from edge_agent.formats.encode import jpeg_bytes, png_bytes, tiff_bytes
from edge_agent.formats.package import write_package
from edge_agent.formats.profiles import load_profile
from edge_agent.testing.drops import dataform, limited, load_picture, picture_profile, png_chunk, sim_sidecar

LIMITS = Limits(deadline_s=30.0, max_memory_bytes=3 << 29)
GREY, WIDE = load_picture(18, 26, bits=8), load_picture(18, 26)
COLOUR = np.dstack([load_picture(18, 26, bits=8, seed=seed) for seed in range(3)])

ROOT = Path(__file__).resolve().parents[2]
Decoder = Callable[[bytes], np.ndarray]


@dataclass(frozen=True)
class Case:
    """Bytes for one member, and what must come of them: ``refused``, or ``judged`` (refused, or right by ``reference``)."""

    name: str
    data: bytes
    law: Literal["judged", "refused"] = "judged"
    file_name: str = "k.png"
    reference: Decoder | None = None
    tolerance: int = 0


@dataclass(frozen=True)
class Seed:
    """One good file. ``reference``: an independent decoder; None where there is none on this machine.

    ``covers``: ``all`` when every flip is covered by a checksum, ``length`` when every truncation is noticed, else ``nothing``.
    """

    name: str
    codec: str
    data: bytes
    reference: Decoder | None
    covers: Literal["all", "length", "nothing"] = "nothing"
    tolerance: int = 0
    layout: RawLayout | None = None


def pillow(data: bytes) -> np.ndarray:
    """Decode with Pillow, which must not change the depth."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        pixels = np.asarray(image)
        if image.mode == "I":
            return pixels.astype(np.uint16)
        return np.asarray(image.convert("RGB")) if image.mode in ("P", "RGBA", "CMYK", "YCbCr") else pixels


def opencv_tiff(data: bytes) -> np.ndarray:
    """Decode with OpenCV's libtiff, for what Pillow does not read."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("refused")
    return pixels


def either(*decoders: Decoder) -> Decoder:
    """The first of ``decoders`` that reads the bytes."""

    def decode(data: bytes) -> np.ndarray:
        for decoder in decoders[:-1]:
            try:
                return decoder(data)
            except (OSError, ValueError, SyntaxError, TypeError, ArithmeticError, struct.error):
                continue
        return decoders[-1](data)

    return decode


def codestream(data: bytes) -> np.ndarray:
    """Decode a JPEG 2000 codestream without the boxes around it, which Pillow would let overrule its depth."""
    return pillow(data[data.index(b"\xff\x4f\xff\x51") :])


def numpy_array(data: bytes) -> np.ndarray:
    return np.load(io.BytesIO(data), allow_pickle=False)


def samples_of_pnm(data: bytes) -> np.ndarray:
    """The samples as they are written; Pillow would stretch them when the header's highest level is not the depth's."""
    words, at = [], 0
    while len(words) < 4:
        word = bytearray()
        while not data[at : at + 1].isspace():
            at = data.index(b"\n", at) if data[at : at + 1] == b"#" else at
            word += data[at : at + 1]
            at += 1
        at += 1
        words += [bytes(word)] if word else []
    channels = 3 if words[0] == b"P6" else 1
    width, height, highest = (int(word) for word in words[1:])
    samples = np.frombuffer(data, ">u2" if highest > 255 else "u1", width * height * channels, at)
    return samples.reshape((height, width, 3) if channels == 3 else (height, width))


def _tiff(pixels: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, pixels, photometric="minisblack", metadata=None, **options)
    return out.getvalue()


def _npy(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, pixels)
    return out.getvalue()


def _progressive() -> bytes:
    return cv2.imencode(".jpg", COLOUR, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2])[1].tobytes()


RAW_LAYOUT = RawLayout(HeaderField(4), HeaderField(6), 16, "big", "494d3031", 12)
RAW = b"IM01" + struct.pack(">HH", 26, 18) + bytes(4) + WIDE.astype(">u2").tobytes()


def raw_reference(data: bytes) -> np.ndarray:
    width, height = struct.unpack(">HH", data[4:8])
    return np.frombuffer(data, ">u2", width * height, 12).reshape(height, width)


def scan_of(view: View) -> Scan:
    """A scan of one view."""
    return Scan(
        ScanId("6f0a2f0e-5d0b-5e3f-9d59-8a4f7c1c2e11"),
        1,
        ScannerRef(ScannerId("gate-1"), "sim-cargo"),
        Capture(Stamp(datetime(2026, 3, 2, 12, tzinfo=UTC), "", tz_assumed=True), CaptureKind.SYNTHETIC, Selection.RANDOM, "6 MV"),
        Subject(SubjectKind.CARGO),
        (view,),
        None,
        (),
    )


def _small_scan(*planes: Plane) -> Scan:
    return scan_of(View("side", planes, (5.0, 4.0)))


def _dx() -> bytes:
    plane = Plane(Quantity.TRANSMISSION, Energy.HIGH, WIDE)
    scan = _small_scan(plane)
    return dx_bytes(scan, scan.views[0], plane)


def _tdr() -> bytes:
    found = ThreatObject("gun", 0.9, Box(2, 3, 9, 12), image_uid("s", 1, "side", "transmission", "high"), "THREAT")
    moment = datetime(2026, 3, 2, 12, tzinfo=UTC)
    return tdr_bytes(
        Report(
            fact_id="f",
            scan_id="s",
            revision=1,
            kind=CaptureKind.SYNTHETIC,
            subject=SubjectKind.CARGO,
            taken_at=moment,
            decided_at=moment,
            who="MACHINE",
            decision="ALARM",
            algorithm=("detector", "1.0"),
            objects=(found,),
            remarks=("threat-found",),
            images=(found.image_uid,),
        )
    )


TIFFS = either(pillow, opencv_tiff)
SEEDS: tuple[Seed, ...] = (
    Seed("png8", "png", png_bytes(GREY), pillow, "all"),
    Seed("png16", "png", png_bytes(WIDE), pillow, "all"),
    Seed("png-colour", "png", png_bytes(COLOUR), pillow, "all"),
    Seed("jpeg", "jpeg", jpeg_bytes(GREY), pillow, tolerance=2),
    Seed("jpeg-progressive", "jpeg", _progressive(), pillow, tolerance=4),
    Seed("tiff", "tiff", tiff_bytes(WIDE), TIFFS),
    Seed("tiff-big-endian", "tiff", _tiff(WIDE, byteorder=">"), TIFFS),
    Seed("tiff-strips", "tiff", _tiff(GREY, rowsperstrip=4), TIFFS),
    Seed("tiff-lzw", "tiff", _tiff(WIDE, compression="lzw", predictor=2), TIFFS),
    Seed("tiff-deflate", "tiff", _tiff(WIDE, compression=8, predictor=2, tile=(16, 16)), TIFFS),
    Seed("tiff-zstd", "tiff", _tiff(WIDE, compression="zstd", rowsperstrip=5), TIFFS),
    Seed("tiff-64-bit", "tiff", _tiff(WIDE, bigtiff=True), TIFFS),
    Seed("bmp", "bmp", cv2.imencode(".bmp", GREY)[1].tobytes(), pillow),
    Seed("pgm16", "pnm", cv2.imencode(".pgm", WIDE)[1].tobytes(), samples_of_pnm, "length"),
    Seed("ppm", "pnm", cv2.imencode(".ppm", COLOUR)[1].tobytes(), samples_of_pnm, "length"),
    Seed("npy", "npy", _npy(WIDE), numpy_array, "length"),
    Seed("npy-planes", "npy", _npy(np.stack([WIDE])), numpy_array, "length"),
    Seed("jxl", "jpeg-xl", imagecodecs.jpegxl_encode(WIDE, lossless=True, level=1), None),
    Seed("jls", "jpeg-ls", imagecodecs.jpegls_encode(WIDE), None),
    Seed("j2k", "jpeg-2000", imagecodecs.jpeg2k_encode(WIDE, level=0), codestream),
    Seed("htj2k", "jpeg-2000", imagecodecs.htj2k_encode(WIDE), codestream),
    Seed("dicos", "dicos", _dx(), None),
    Seed("raw", "raw", RAW, raw_reference, "length", layout=RAW_LAYOUT),
)
"""Good files by codec; a codec without one fails a test."""


EVERY_LENGTH = {"png16", "raw"}
"""Seeds that are cut at every length, not only at some."""


def profile_of(seed: Seed) -> Profile:
    """A profile whose one picture is read as ``seed``."""
    profile = limited(picture_profile(), LIMITS)
    if seed.layout is None:
        return profile
    return replace(profile, members=(replace(profile.members[0], layout=seed.layout),))


def damaged(seed: Seed) -> Iterator[Case]:
    """Truncations, flips, overwritten headers, added tails, and other files' heads."""
    whole, rng = seed.data, random.Random(seed.name)
    cut_law = "judged" if seed.covers == "nothing" else "refused"
    flip_law = "refused" if seed.covers == "all" else "judged"
    lengths = {len(whole) * tenth // 10 for tenth in range(10)} | {len(whole) - 1, len(whole) - 2, len(whole) * 99 // 100}
    if seed.covers != "nothing":
        lengths |= set(range(0, len(whole), 1 if seed.name in EVERY_LENGTH else 9))

    def case(name: str, data: bytes, law: str) -> Case:
        return Case(f"{seed.name}/{name}", data, law, "k.png", seed.reference, seed.tolerance)  # type: ignore[arg-type]

    yield from (case(f"cut-{length}", whole[:length], cut_law) for length in sorted(lengths))
    bits = range(0, 8 * len(whole), 41) if seed.covers == "all" else (rng.randrange(8 * len(whole)) for _ in range(60))
    yield from (case(f"bit-{bit}", _flipped(whole, bit), flip_law) for bit in bits)
    for at in range(min(64, len(whole))):
        yield case(f"zero-{at}", whole[:at] + b"\0" + whole[at + 1 :], "judged")
        yield case(f"ones-{at}", whole[:at] + b"\xff" + whole[at + 1 :], "judged")
    for number in range(20):
        yield case(f"noise-{number}", _noisy(whole, rng), "judged")
    yield case("zero-tail", whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2), "judged")
    yield case("text-tail", whole + b"<script>" * 50, "judged")
    yield case("twice", whole + whole, "judged")
    yield case("zero-start", bytes(16) + whole, "judged")


def disguised() -> Iterator[Case]:
    """Every format under every other's name: the content decides."""
    for seed in SEEDS:
        if seed.layout is None:
            for ending in ("png", "jpg", "tif", "JPEG"):
                yield Case(f"{seed.name}/as-{ending}", seed.data, "judged", f"k.{ending}", seed.reference, seed.tolerance)


NAMES = (
    "-rf.png",
    "a\nb.png",
    "\u202egnp.exe.png",
    "x" * 200 + ".png",
    "'; DROP TABLE job; --.png",
    "{0}%s%n.png",
    "$(reboot).png",
    "`id`.png",
    "..png.png",
    "....png",
    "con.png",
    "\u0000"[:0] + "nul.png",
    "\ufeffk.png",
    "e\u0301.png",
    "\u00e9.png",
    "\U0001f4a3.png",
    "\\\\server\\share\\k.png",
    "C:k.png",
    "~root.png",
    "a b\tc.png",
    "<b>k</b>.png",
    "=cmd|'/c calc'!A1.png",
    "%2e%2e%2fk.png",
    "k.png.png",
)
"""Names that something might take for more than a name."""


def _flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _noisy(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 9)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _png_of(width: int, height: int, body: bytes, *more: bytes) -> bytes:
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def _zeros(length: int) -> bytes:
    """``length`` zeros, deflated."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(length >> 20)) + packer.flush()


def _tiff_with_data(compression: int, stored: bytes) -> bytes:
    """A TIFF of 26 x 18 grey pixels whose one strip is ``stored``."""
    entries = ((256, 26), (257, 18), (258, 8), (259, compression), (262, 1), (273, 126), (277, 1), (278, 18), (279, len(stored)))
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries) + bytes(4)
    return b"II*\0\x08\0\0\0" + directory.ljust(118, b"\0") + stored


def _many_scans() -> bytes:
    """A progressive JPEG whose last scan is repeated: little to read, much to do."""
    good = cv2.imencode(".jpg", np.zeros((2000, 2000), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    last = good.rindex(b"\xff\xda")
    return good[:-2] + good[last:-2] * 400 + b"\xff\xd9"


_WIDE_SIDE = 1 << 17
BOMBS: dict[str, Callable[[], bytes]] = {
    "png-huge-header": lambda: _png_of(0x7FFFFFFF, 0x7FFFFFFF, b""),
    "png-honest": lambda: _png_of(30_000, 30_000, _zeros(1 << 20)),
    "png-too-much": lambda: _png_of(26, 18, _zeros(1 << 28)),
    "png-text": lambda: _png_of(26, 18, zlib.compress(bytes(27 * 18)), png_chunk(b"zTXt", b"a\0\0" + _zeros(1 << 28)))[:-20],
    "png-profile": lambda: _png_of(26, 18, zlib.compress(bytes(100)), png_chunk(b"iCCP", b"a\0\0" + _zeros(1 << 28))),
    "png-long-chunk": lambda: b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", bytes(13))[:25] + b"\xff" * 4 + b"IDAT",
    "tiff-honest": lambda: tiff_bytes(np.zeros((9000, 9000), np.uint8), "deflate"),
    "tiff-strip-offsets": lambda: _tiff_with_data(1, b""),
    "tiff-many-tags": lambda: b"II*\0\x08\0\0\0\xff\xff" + struct.pack("<HHII", 256, 4, 1, 26) * 5461,
    "tiff-many-pages": lambda: b"II*\0" + b"".join(struct.pack("<IH", 8 + 6 * n, 0) for n in range(1, 5000)),
    "tiff-huge-value": lambda: b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 273, 16, 0x7FFFFFFF, 8) + bytes(60),
    "bmp-huge": lambda: b"BM" + struct.pack("<IHHIIiiHHI", 60, 0, 0, 54, 40, _WIDE_SIDE, -_WIDE_SIDE, 1, 24, 0) + bytes(24),
    "bmp-negative": lambda: b"BM" + struct.pack("<IHHIIiiHHI", 60, 0, 0, 54, 40, -26, -2147483648, 1, 24, 0) + bytes(24),
    "pgm-huge": lambda: b"P5 999999 999999 65535\n" + bytes(64),
    "pgm-spaces": lambda: b"P5" + b" " * 1020 + b"x",
    "pgm-comments": lambda: b"P5\n" + b"#\n" * 500 + b"x" * 100,
    "npy-huge": lambda: _npy(WIDE).replace(b"(18, 26)", b"(1<<30,)"),
    "npy-objects": lambda: b"\x93NUMPY\x01\0\x46\0" + b"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }".ljust(70),
    "npy-nan": lambda: _npy(np.full((18, 26), np.nan, np.float32)),
    "npy-deep": lambda: b"\x93NUMPY\x01\0\xe8\x03" + (b"(" * 900).ljust(1000),
    "jls-huge": lambda: imagecodecs.jpegls_encode(GREY).replace(struct.pack(">HH", 18, 26), b"\xff\xff\xff\xff", 1),
    "jls-honest": lambda: imagecodecs.jpegls_encode(np.zeros((9000, 9000), np.uint8)),
    "jxl-honest": lambda: imagecodecs.jpegxl_encode(np.zeros((8200, 8200), np.uint8), lossless=True, level=1, effort=1),
    "j2k-huge": lambda: imagecodecs.jpeg2k_encode(GREY, level=0, codecformat="j2k").replace(
        struct.pack(">II", 26, 18), b"\x7f\xff\xff\xff" * 2
    ),
    "jpeg-huge": lambda: jpeg_bytes(GREY).replace(struct.pack(">HH", 18, 26), b"\xff\xff\xff\xff", 1),
    "gzip": lambda: b"\x1f\x8b\x08" + _zeros(1 << 24),
    "zip": lambda: _zip_of({"a": bytes(1 << 24)}, zipfile.ZIP_DEFLATED),
    "all-zero": lambda: bytes(1 << 20),
    "empty": lambda: b"",
    "text": lambda: b"Container ZZZU6304941: picture follows by mail.",
    "pickle": lambda: b"cos\nsystem\n(S'true'\ntR.",
    "elf": lambda: b"\x7fELF\x02\x01\x01" + bytes(100),
    "pdf": lambda: b"%PDF-1.7" + bytes(100),
    "svg": lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    "gif": lambda: b"GIF89a" + bytes(100),
    "exr": lambda: b"v/1\x01" + bytes(100),
    "hdr": lambda: b"#?RADIANCE\n" + bytes(100),
    "webp": lambda: b"RIFF\x20\0\0\0WEBPVP8L" + bytes(100),
    "tiff-deflate-strip": lambda: _tiff_with_data(8, _zeros(1 << 28)),
    "tiff-zstd-strip": lambda: _tiff_with_data(50000, imagecodecs.zstd_encode(bytes(1 << 28))),
    "jpeg-many-scans": _many_scans,
}
"""Small files that ask for much by header or by content, and files of no format that we read; each is made when it is wanted."""

MAY_BE_RIGHT = {"tiff-deflate-strip", "tiff-zstd-strip", "jpeg-many-scans", "png-too-much"}
"""Of those, what a decoder may accept after all: it takes what it needs and stops."""


def _zip_of(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()


LAUGHS = (
    '<!DOCTYPE l [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]><DataForm>&j;</DataForm>"
)
HOSTILE_TEXTS: dict[str, bytes] = {
    "billion-laughs": LAUGHS.encode(),
    "quadratic": ('<!DOCTYPE x [<!ENTITY a "' + "a" * 50_000 + '">]><DataForm>' + "&a;" * 10_000 + "</DataForm>").encode(),
    "external-entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><DataForm>&e;</DataForm>',
    "parameter-entity": b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd">%p;]><DataForm/>',
    "doctype": b"<!DOCTYPE html><DataForm/>",
    "doctype-utf-16": "<!DOCTYPE html><DataForm/>".encode("utf-16"),
    "xinclude": b'<DataForm xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd"/></DataForm>',
    "stylesheet": b'<?xml-stylesheet href="file:///etc/passwd"?><DataForm/>',
    "deep-xml": b"<DataForm>" + b"<A>" * 200_000,
    "wide-xml": b"<DataForm " + b" ".join(b'a%d="1"' % n for n in range(50_000)) + b"/>",
    "deep-json": b"[" * 500_000,
    "deep-json-objects": b'{"a":' * 100_000 + b"}",
    "long-number": b'{"schema":"sim-sidecar/1","taken_at":' + b"9" * 500_000 + b"}",
    "exponent": b'{"schema":"sim-sidecar/1","taken_at":"2026-01-01","pitch_mm":[1e999,1]}',
    "nan": b'{"schema":"sim-sidecar/1","taken_at":"2026-01-01","pitch_mm":[NaN,1]}',
    "infinity": b'{"schema":"sim-sidecar/1","taken_at":"2026-01-01","pitch_mm":[Infinity,-Infinity]}',
    "surrogate": b'{"schema":"sim-sidecar/1","taken_at":"\\ud800"}',
    "duplicate-keys": b'{"schema":"sim-sidecar/1","schema":"x","taken_at":"2026-01-01"}',
    "not-utf-8": b'{"schema":"\xff\xfe"}',
    "zeros": bytes(1000),
    "zeros-before-brace": bytes(1000) + b"}",
    "over-a-megabyte": b" " * (1 << 20) + b"{}",
    "far-year": b'{"schema":"sim-sidecar/1","taken_at":"9999-12-31T23:59:59-23:59"}',
    "first-year": b'{"schema":"sim-sidecar/1","taken_at":"0001-01-01T00:00:00+23:59"}',
    "csv-quotes": b'container,weight\n"' + b"a" * 100_000,
    "csv-formula": b"container,weight\n=cmd|'/c calc'!A1,@SUM(1)\n",
    "csv-nul": b"container\0,weight\n\0,\0\n",
    "csv-wide": b",".join(b"c%d" % n for n in range(60_000)) + b"\n",
    "picture": jpeg_bytes(GREY),
    "empty": b"",
    "pickle": b"cos\nsystem\n(S'true'\ntR.",
    "yaml": b"!!python/object/apply:os.system ['true']",
}
"""Side-cars of no kind at all, given to every reader."""

SIDECARS: dict[str, bytes] = {
    "json": sim_sidecar({"resources": ["a.png"]}),
    "dataform": dataform(("k.jpg", "k_stamp.jpg")).encode(),
    "dataform-utf-16": dataform(("k.jpg",), version="V01.07").encode("utf-16"),
    "map-xml": b"<scan><when>2026-03-02T12:00:00</when><box>ZZZU6304941</box><goods><hs>0202</hs><kg>21000</kg></goods></scan>",
    "map-lenient": "<scan><when>2026-03-02T12:00:00</when><box>A & B</box><goods><hs>0202</hs></goods></scan>".encode("utf-16"),
    "map-json": b'{"when":"2026-03-02T12:00:00","box":"ZZZU6304941","goods":[{"hs":"0202","kg":21000},{"hs":"0203","kg":1.5}]}',
    "map-csv": b"when,box,hs,kg\n2026-03-02T12:00:00,ZZZU6304941,0202,21000\n2026-03-02T12:00:00,ZZZU6304941,0203,1.5\n",
    "map-csv-pairs": b"when;2026-03-02T12:00:00\nbox;ZZZU6304941\nkg;21000\nrisk;A1\n",
    "dicos": _tdr(),
}
"""Good side-cars by reader (``reader`` or ``reader-variant``)."""

_FIELDS = {"taken_at": ("when", "row/when"), "containers": ("**/box",), "gross_kg": ("kg",), "risk_flags": ("risk",)}
_GOODS = {"hs": ("hs",), "gross_kg": ("kg",)}
MAPS = {
    "map-xml": SidecarMap(DocumentKind.XML, "scan", fields=_FIELDS, goods_rows="goods", goods=_GOODS),
    "map-lenient": SidecarMap(DocumentKind.XML, "scan", is_lenient=True, fields=_FIELDS, goods_rows="goods", goods=_GOODS),
    "map-json": SidecarMap(DocumentKind.JSON, fields=_FIELDS, goods_rows="goods", goods=_GOODS),
    "map-csv": SidecarMap(DocumentKind.CSV, fields=_FIELDS, goods_rows="row", goods=_GOODS),
    "map-csv-pairs": SidecarMap(DocumentKind.CSV_PAIRS, delimiter=";", fields=_FIELDS),
}
"""How the reader that a profile instructs finds its way through them."""


def sidecar_profile(name: str) -> Profile:
    """A picture with a side-car of that name's reader; DICOS reports come beside a DX."""
    if name == "dicos":
        return limited(load_profile(ROOT / "config/scanners/dicos.toml"), LIMITS)
    return replace(limited(picture_profile(name.split("-", maxsplit=1)[0]), LIMITS), map=MAPS.get(name))


def beside(name: str) -> tuple[str, str, bytes]:
    """Name, role and bytes of the picture that comes with a side-car."""
    return ("k_high.dcs", "high", _dx()) if name == "dicos" else ("k.jpg", "picture", jpeg_bytes(GREY))


NASTY_WORDS = (
    b"NaN",
    b"-1",
    b"1e308",
    b"null",
    b"\\u0000",
    b"../../etc/passwd",
    b"\xff\xfe",
    b"]]>",
    b"&#0;",
    b"{}",
    b"[]",
    b"\xe2\x80\xae",
)


def damaged_sidecars(name: str, whole: bytes) -> Iterator[Case]:
    """Cuts, flips, and words put in the place of values."""
    rng = random.Random(name)
    yield from (Case(f"{name}/cut-{tenth}", whole[: len(whole) * tenth // 10]) for tenth in range(10))
    yield from (Case(f"{name}/bit-{number}", _flipped(whole, rng.randrange(8 * len(whole)))) for number in range(60))
    yield from (Case(f"{name}/noise-{number}", _noisy(whole, rng)) for number in range(30))
    for number in range(60):
        at, word = rng.randrange(len(whole)), rng.choice(NASTY_WORDS)
        yield Case(f"{name}/word-{number}", whole[:at] + word + whole[at + rng.randrange(0, 12) :])
    for kind, data in HOSTILE_TEXTS.items():
        # a reader that follows a profile's paths takes any document of its kind, and finds nothing in a foreign one
        is_foreign = name in MAPS and not (MAPS[name].kind is DocumentKind.XML and b"DOCTYPE" in data)
        yield Case(f"{name}/{kind}", data, "judged" if is_foreign else "refused")


def package(folder: Path) -> tuple[Scan, bytes]:
    """A small good package and the scan in it."""
    scan = _small_scan(Plane(Quantity.TRANSMISSION, Energy.HIGH, WIDE), Plane(Quantity.MATERIAL, Energy.SINGLE, GREY))
    path = folder / "good.scan.zip"
    write_package(scan, (), path)
    return scan, path.read_bytes()


def tampered_archives(good: bytes) -> Iterator[Case]:
    """Packages whose archive is not what it seems: slips, links, bombs, doubles, lies about sizes."""
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    for slip in ("../evil", "/etc/evil", "images/../../evil", "..\\evil", "C:\\evil", "images/\u202e.tif", "a" * 60_000, "images/"):
        yield Case(f"zip/slip-{slip[:12]!r}", _zip_of({**entries, slip: b"x"}), "refused")
    yield Case("zip/deflated", _zip_of(entries, zipfile.ZIP_DEFLATED), "refused")
    yield Case("zip/bomb", _zip_of({**entries, "images/side_raw_high.tif": bytes(1 << 28)}, zipfile.ZIP_DEFLATED), "refused")
    yield Case("zip/many", _zip_of({**entries, **{f"images/{n}.tif": b"" for n in range(70_000)}}), "refused")
    yield Case("zip/no-mimetype", _zip_of({name: data for name, data in entries.items() if name != "mimetype"}), "refused")
    yield Case("zip/no-document", _zip_of({name: data for name, data in entries.items() if name != "scan.json"}), "refused")
    yield Case("zip/deep-document", _zip_of({**entries, "scan.json": b"[" * 1_000_000}), "refused")
    yield Case("zip/entity-document", _zip_of({**entries, "scan.json": LAUGHS.encode()}), "refused")
    for name in entries:
        if name != "preview.jpg":
            yield Case(f"zip/lacks-{name}", _zip_of({key: data for key, data in entries.items() if key != name}), "refused")
        yield Case(f"zip/empty-{name}", _zip_of({**entries, name: b""}), "refused")
        yield Case(f"zip/bomb-in-{name}", _zip_of({**entries, name: BOMBS["png-huge-header"]()}), "refused")
    yield Case("zip/twice", _twice(entries), "refused")
    yield Case("zip/link", _link(entries), "refused")
    yield Case("zip/encrypted-flag", good.replace(b"PK\x01\x02\x14\x03\x14\0\0\0", b"PK\x01\x02\x14\x03\x14\0\1\0"), "judged")
    yield Case("zip/empty-archive", b"PK\x05\x06" + bytes(18), "refused")
    yield Case("zip/central-far-away", good[:-6] + b"\xff\xff\xff\x7f\0\0", "refused")


def _twice(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
        archive.fp.flush()
    with zipfile.ZipFile(out, "a") as archive:
        archive.NameToInfo.pop("scan.json")  # so that the library does not warn
        archive.writestr("scan.json", entries["scan.json"])
    return out.getvalue()


def _link(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in entries.items():
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o120777 << 16
            archive.writestr(info, b"/etc/passwd" if name.startswith("images/") else data)
    return out.getvalue()


PROFILE_TEXT = """
name = "odd"
sidecar = ""
clock = "UTC"
quiet_s = 1.0
unknown_after_s = 3.0
required_views = ["side"]

[[member]]
role = "picture"
pattern = '(?P<key>.+)\\.png'
need = "required"
deadline_s = 10.0
plane = { view = "side", quantity = "display", energy = "single" }
"""


def bad_profiles() -> Iterator[Case]:
    """Profiles are written by administrators, so they are foolish rather than hostile; still each has its word."""
    rng = random.Random("profiles")
    whole = PROFILE_TEXT.encode()
    yield from (Case(f"profile/cut-{tenth}", whole[: len(whole) * tenth // 10]) for tenth in range(10))
    yield from (Case(f"profile/noise-{number}", _noisy(whole, rng)) for number in range(80))
    for number in range(60):
        at = rng.randrange(len(whole))
        yield Case(f"profile/word-{number}", whole[:at] + rng.choice(NASTY_WORDS) + whole[at + rng.randrange(12) :])
    for name, change in {"nan": b"quiet_s = nan", "inf": b"quiet_s = inf", "negative": b"quiet_s = -1", "text": b'quiet_s = "x"'}.items():
        yield Case(f"profile/{name}", whole.replace(b"quiet_s = 1.0", change), "refused")
    yield Case("profile/zone", whole.replace(b'"UTC"', b'"../../../etc/passwd"'), "refused")
    yield Case("profile/no-key", whole.replace(b"?P<key>", b""), "refused")
    yield Case("profile/deep", b"a = " + b"[" * 5000, "refused")
    yield Case("profile/not-utf-8", b'name = "\xff"', "refused")
