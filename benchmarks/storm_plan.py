"""What a storm drops into the scanners' folders, and what must come out of it: made from a seed, with nothing read back from the agent.

Every scan has an expected outcome, worked out here from the rule of identity: (scan_id, revision, word), where the word is the cause of
an assessment (``pixels``, ``metadata-1``) or the code of a scan set aside.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.real_scans import container_number
from benchmarks.sore_decoder import CRASHES, HANGS
from edge_agent.agent.ports import Point
from edge_agent.domain.ids import DropKey, ScanId, ScannerId, SiteId, content_digest, scan_id
from edge_agent.formats.encode import jpeg_bytes, png_bytes, tiff_bytes
from edge_agent.testing.faults import Deed, Trap

_SITE = SiteId("demo")
_BRIGHT = 65535
_SECOND = 30000
"""Added to a scan's number for its second revision's pixels."""


class Outcome(NamedTuple):
    """What must be journalled exactly once."""

    scan_id: ScanId
    revision: int
    word: str


class State(NamedTuple):
    """An accepted state of a scan: a row of the ledger's jobs."""

    scan_id: ScanId
    revision: int
    metadata_revision: int


@dataclass(frozen=True)
class Delivery:
    """Files that a scanner writes in one go. ``after``: what must have been accepted before, else the scanner would overtake itself."""

    name: str
    scanner: str
    files: tuple[tuple[str, bytes], ...]
    outcome: Outcome | None = None
    duplicate_of: ScanId | None = None
    after: State | None = None
    deed: Deed | None = None
    """What the daemon does whenever it is about to look at this scan."""


@dataclass
class Plan:
    """All deliveries, in an order that keeps ``after``; ``scans``: distinct scans among them."""

    scans: int
    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def outcomes(self) -> dict[Outcome, str]:
        """Give each expected outcome with the name of its delivery."""
        return {one.outcome: one.name for one in self.deliveries if one.outcome is not None}

    @property
    def set_aside(self) -> set[ScanId]:
        """Give the scans that must be set aside: everything else is innocent."""
        return {one.outcome.scan_id for one in self.deliveries if one.outcome is not None and not _is_assessed(one.outcome)}

    @property
    def traps(self) -> list[Trap]:
        """Give what must be armed in every life, so that some scans end the daemon itself."""
        guilty = [(one.deed, one.outcome.scan_id) for one in self.deliveries if one.deed is not None and one.outcome is not None]
        return [Trap(Point.INFER_BEFORE, deed, 1, scan) for deed, scan in guilty]


def make_plan(scans: int, seed: int) -> Plan:
    """Draw ``scans`` scans and what happens to them later; the same seed gives the same bytes."""
    chance = random.Random(seed)
    plan = Plan(scans)
    later: list[Delivery] = []
    for number, make in enumerate(_kinds(scans, chance)):
        first, *rest = make(number)
        plan.deliveries.append(first)
        later += rest
        if later and chance.random() < 0.5:
            plan.deliveries.append(later.pop(chance.randrange(len(later))))
    plan.deliveries += later
    return plan


def good_scan(number: int) -> Delivery:
    """Give the ``number``-th of a row of scans (below 65536) that any site can read: pictures, pairs and DataForms by turns."""
    first, *_ = (_plain, _pair, _plain, _form)[number % 4](number)
    return first


def _kinds(scans: int, chance: random.Random) -> Iterator[Callable[[int], Sequence[Delivery]]]:
    """Give a maker for each scan: poison first counted, then the good ones by weight, all shuffled. A replay makes two scans of one."""
    poison: list[Callable[[int], Sequence[Delivery]]] = [_truncated, _text, _unknown, _empty, crashing, hanging, _killing]
    poison += [_truncated, _text, _unknown, _empty, crashing] * (scans // 100)
    poison += [hanging, _killing, _failing] * (scans // 300)
    kinds = poison[: max(1, scans // 8)]
    good = [_plain, _plain_revised, _plain_repeated, _pair, _pair_amended, _pair_replayed, _form]
    weights = [8, 2, 1, 4, 2, 1, 3]
    left = scans - len(kinds)
    while left > 0:
        kind = chance.choices(good, weights)[0]
        if kind is _pair_replayed and left < 2:
            continue
        left -= 2 if kind is _pair_replayed else 1
        kinds.append(kind)
    chance.shuffle(kinds)
    return iter(kinds)


def _picture(number: int, mark: int | None = None) -> NDArray[np.uint16]:
    """Give a (64, 80) uint16 picture, different for each number below 65536; every second one has a bright cell that alerts."""
    pixels = np.full((64, 80), 2000 + number % 1000, dtype=np.uint16)
    pixels[0, 0] = number
    if number % 2:
        pixels[16:24, 24:32] = _BRIGHT
    if mark is not None:
        pixels[-1, -1] = mark
    return pixels


def _single(name: str, file: str, content: bytes, word: str = "pixels") -> Delivery:
    digest = content_digest([("picture", sha256(content).hexdigest())]) if content else ""
    return Delivery(name, "s1", ((file, content),), Outcome(_id("s1", file, digest), 1, word))


def _id(scanner: str, key: str, digest: str) -> ScanId:
    return scan_id(_SITE, ScannerId(scanner), DropKey(key), digest)


def _plain(number: int) -> list[Delivery]:
    return [_single(f"plain {number}", f"p{number}.png", png_bytes(_picture(number)))]


def _plain_revised(number: int) -> list[Delivery]:
    (first,) = _plain(number)
    assert first.outcome is not None
    scan = first.outcome.scan_id
    files = ((f"p{number}.png", png_bytes(_picture(number + _SECOND))),)
    return [first, Delivery(f"new pixels of plain {number}", "s1", files, Outcome(scan, 2, "pixels"), after=State(scan, 1, 0))]


def _plain_repeated(number: int) -> list[Delivery]:
    (first,) = _plain(number)
    assert first.outcome is not None
    scan = first.outcome.scan_id
    again = ((f"again-{number}.png", first.files[0][1]),)
    return [first, Delivery(f"plain {number} under another name", "s1", again, duplicate_of=scan, after=State(scan, 1, 0))]


def _pair(number: int, key: str = "", container: int = 0, heading: str = "0202") -> list[Delivery]:
    key = key or f"k{number}"
    high = _picture(number)
    files = {"high": tiff_bytes(high), "low": tiff_bytes(high // 2)}
    digest = content_digest([(role, sha256(content).hexdigest()) for role, content in files.items()])
    written = (
        (f"{key}_high.tif", files["high"]),
        (f"{key}_low.tif", files["low"]),
        (f"{key}.json", _sidecar(container or number, heading)),
    )
    return [Delivery(f"pair {key}", "pair", written, Outcome(_id("pair", key, digest), 1, "pixels"))]


def _pair_amended(number: int) -> list[Delivery]:
    (first,) = _pair(number)
    assert first.outcome is not None
    scan = first.outcome.scan_id
    files = ((f"k{number}.json", _sidecar(number, "4011")),)
    return [first, Delivery(f"new side-car of pair k{number}", "pair", files, Outcome(scan, 1, "metadata-1"), after=State(scan, 1, 0))]


def _pair_replayed(number: int) -> list[Delivery]:
    (first,), (again,) = _pair(number), _pair(number, f"r{number}", number + 500_000)
    assert first.outcome is not None
    return [first, Delivery(f"pixels of pair k{number} again as r{number}", "pair", again.files, again.outcome, after=_first(first))]


def _first(delivery: Delivery) -> State:
    assert delivery.outcome is not None
    return State(delivery.outcome.scan_id, 1, 0)


def _form(number: int) -> list[Delivery]:
    rows = np.arange(number % 50, number % 50 + 200, dtype=np.uint8)
    pixels = np.tile(rows, (150, 1))
    pixels[:8, :64] = np.unpackbits(np.array([number], dtype=">u2").view(np.uint8)).repeat(4)[:64] * 255
    content = jpeg_bytes(pixels)
    digest = content_digest([("picture", sha256(content).hexdigest())])
    files = ((f"f{number}x.jpg", content), (f"f{number}x.xml", _dataform(f"f{number}x.jpg")))
    return [Delivery(f"form {number}", "form", files, Outcome(_id("form", f"f{number}x", digest), 1, "pixels"))]


def _truncated(number: int) -> list[Delivery]:
    content = png_bytes(_picture(number))
    return [_single(f"truncated {number}", f"cut{number}.png", content[: len(content) // 2], "unreadable-scan")]


def _text(number: int) -> list[Delivery]:
    return [_single(f"text {number}", f"text{number}.jpg", b"this is not picture %d" % number, "unsupported-format")]


def _unknown(number: int) -> list[Delivery]:
    name = f"strange{number}.xyz"
    outcome = Outcome(_id("s1", f"//{name}", ""), 1, "unsupported-format")
    return [Delivery(f"unknown {number}", "s1", ((name, b"who knows %d" % number),), outcome)]


def _empty(number: int) -> list[Delivery]:
    return [_single(f"empty {number}", f"empty{number}.png", b"", "unreadable-scan")]


def crashing(number: int) -> list[Delivery]:
    """Give a picture at which the sore decode child crashes."""
    return [_single(f"crashes decoder {number}", f"crash{number}.png", png_bytes(_picture(number, CRASHES)), "decoder-died")]


def hanging(number: int) -> list[Delivery]:
    """Give a picture at which the sore decode child hangs."""
    return [_single(f"hangs decoder {number}", f"hang{number}.png", png_bytes(_picture(number, HANGS)), "decode-timed-out")]


def _killing(number: int) -> list[Delivery]:
    one = _single(f"crashes daemon {number}", f"killer{number}.png", png_bytes(_picture(number)), "crashed-too-often")
    return [replace(one, deed=Deed.CRASH)]


def _failing(number: int) -> list[Delivery]:
    one = _single(f"ends daemon {number}", f"fault{number}.png", png_bytes(_picture(number)), "crashed-too-often")
    return [replace(one, deed=Deed.RAISE)]


def _sidecar(container: int, heading: str) -> bytes:
    content = {
        "schema": "sim-sidecar/1",
        "taken_at": "2026-03-02T10:00:00+05:30",
        "kind": "synthetic",
        "selection": "random",
        "container": container_number(container),
        "pitch_mm": [5.0, 5.0],
        "beam": "6/4 MV",
        "declared": [{"hs": heading, "description": "goods", "gross_kg": 1000.0, "packages": 10}],
        "resources": [],
    }
    return json.dumps(content).encode()


def _dataform(picture: str) -> bytes:
    return (
        '<DataForm xmlns="dataforms.model.cargovision.smiths.com"><Version>V01.20</Version><TruckId>T1</TruckId>'
        '<Date>2025-11-12T07:30:08.910Z</Date><Operations><Operation Type="1"><Resources>'
        f'<Resource Type="img" IsLinked="false" IsPreview="false" IsDeleted="false">{picture}</Resource>'
        "</Resources></Operation></Operations></DataForm>"
    ).encode()


def _is_assessed(outcome: Outcome) -> bool:
    return outcome.word == "pixels" or outcome.word.startswith("metadata-")
