"""One 2000 x 8000 16-bit scan from file to package, stage by stage, with the daemon's own parts in the daemon's order."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks import scene
from benchmarks.bench_policy import PROFILES
from benchmarks.judging import Judge, Stopwatch
from benchmarks.network import LABELS
from edge_agent.domain.arrival import Arrival, NewScan
from edge_agent.domain.assessment import FactKind
from edge_agent.domain.drop import Drop
from edge_agent.domain.ids import content_digest, scan_id
from edge_agent.domain.profile import Profile
from edge_agent.domain.scan import Scan, View
from edge_agent.formats.child import DecodeChild
from edge_agent.formats.encode import tiff_bytes
from edge_agent.formats.members import MemberFile
from edge_agent.formats.package import write_package
from edge_agent.formats.profiles import load_profile
from edge_agent.imaging.boxes import merge_across_tiles
from edge_agent.imaging.tiles import plan_tiles
from edge_agent.inference.heads import boxes_scores
from edge_agent.inference.prepare import ModelView, fill
from edge_agent.intake.grouping import group
from edge_agent.intake.reconcile import read_folder
from edge_agent.intake.spool import Placement, Spool, Spooled
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Acceptance, Entry
from edge_agent.wire.frames import topic

_TILE_PX, _OVERLAP_PX = 640, 128


@dataclass
class Laps:
    """Milliseconds a stage, in the order in which they ran."""

    ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def lap(self, stage: str) -> Iterator[None]:
        """Time what is done inside."""
        started = time.perf_counter()
        yield
        self.ms[stage] = (time.perf_counter() - started) * 1000.0


class StageBench:
    """Everything one needs to take scans from a watched folder to their packages, in one process and one after the other."""

    def __init__(self, folder: Path, judge: Judge) -> None:
        self._watch = folder / "scanner"
        self._watch.mkdir()
        self._state = folder / "state"
        self._judge = judge
        self._show_at = np.full(len(LABELS), judge.engine.policy.cargo.labels[LABELS[0]].show_at, dtype=np.float32)
        self._stopwatch = Stopwatch.on(judge.engine.loaded)
        self._profile: Profile = load_profile(PROFILES / "plain-image.toml")
        self._spool = Spool(self._state / "spool")
        self._ledger = Ledger.open(self._state / "ledger.db", scene.SITE, judge.engine.clock)
        self._child = DecodeChild()
        self._child.start()
        self._levels = scene.pixels(1)
        self._rounds = 0

    def close(self) -> None:
        """End the child, close the ledger."""
        self._child.close()
        self._ledger.close()

    def one_round(self) -> Mapping[str, float]:
        """Take one new file through every stage; give milliseconds by stage."""
        self._rounds += 1
        drop = self._drop()
        laps = Laps()
        with laps.lap("spool"):
            spooled = self._spool.copy(drop, self._profile)
            identity = scan_id(scene.SITE, scene.SCANNER, drop.key, _digest(spooled))
            (placed,) = self._spool.place([Placement(spooled, identity, 1)])
        with laps.lap("accept"):
            self._accept(drop, spooled, placed)
        members = [MemberFile(member.name, member.role, placed / member.name) for member in spooled.digests]
        with laps.lap("decode"):
            views = self._child.decode(members, self._profile).views
        scan = self._judge.scan(identity, (View("side", views[0].planes, (4.0, 4.0)),), spooled.digests)
        self._judged(scan, laps)
        with laps.lap("package"):
            originals = [(member, placed / member.name) for member in spooled.digests]
            write_package(scan, originals, self._state / "packages" / f"{identity}.scan.zip")
        return laps.ms

    def _drop(self) -> Drop:
        """Deliver the scan again, one pixel changed so that it is a new one."""
        for old in self._watch.iterdir():
            old.unlink()
        self._levels[0, 0] = self._rounds
        (self._watch / f"scan-{self._rounds}.tif").write_bytes(tiff_bytes(self._levels))
        (drop,) = group(scene.SCANNER, read_folder(self._watch, self._profile.ignores), self._profile)
        return drop

    def _accept(self, drop: Drop, spooled: Spooled, placed: Path) -> None:
        arrival = Arrival(scene.SITE, scene.SCANNER, drop.key, _digest(spooled), "0" * 64)
        decision = NewScan(scan_id(scene.SITE, scene.SCANNER, drop.key, _digest(spooled)), None)
        where = str(placed.relative_to(self._state))
        about = scene.particulars(self._judge.engine.clock)
        self._ledger.accept([Acceptance(decision, arrival, drop.fingerprint, spooled.digests, about, where)])

    def _judged(self, scan: Scan, laps: Laps) -> None:
        engine = self._judge.engine
        job = self._ledger.claim(engine.clock.now())
        assert job is not None
        self._stopwatch.spells.clear()
        self._stopwatch.outputs = []
        with laps.lap("judge"):
            judgement = engine.judge(scan, ())
        laps.ms |= {"prepare": _prepare_ms(scan) / self._judge.threads, "infer": self._stopwatch.busy_ms / self._judge.threads}
        laps.ms |= {"merge": _merge_ms(scan, self._stopwatch.outputs, self._show_at)}
        laps.ms |= {"dark": judgement.timings_ms["dark"], "conclude": judgement.timings_ms["conclude"]}
        with laps.lap("encode"):
            body = self._judge.body(scan, judgement)
        with laps.lap("commit"):
            where = topic(scene.SITE, scene.SCANNER, FactKind.ASSESSMENT.value)
            self._ledger.complete(job.job_id, Entry(self._judge.fact_id(scan), scan.scan_id, FactKind.ASSESSMENT, where, body))


@contextmanager
def stages(judge: Judge) -> Iterator[StageBench]:
    """Give the bench in a folder of its own, gone afterwards."""
    with TemporaryDirectory() as folder:
        bench = StageBench(Path(folder), judge)
        try:
            yield bench
        finally:
            bench.close()


def _digest(spooled: Spooled) -> str:
    return content_digest((member.role, member.sha256) for member in spooled.digests)


def _prepare_ms(scan: Scan) -> float:
    """Fill a model's input with each tile of the scan once; give the milliseconds."""
    plane = scan.views[0].planes[0]
    source = ModelView((plane.pixels,), plane.size, (1.0, 1.0))
    tensor = np.zeros((1, 1, _TILE_PX, _TILE_PX), dtype=np.float32)
    started = time.perf_counter()
    for window in plan_tiles(plane.size, _TILE_PX, _OVERLAP_PX):
        fill(tensor, source, window.x0, window.y0)
    return (time.perf_counter() - started) * 1000.0


def _merge_ms(scan: Scan, outputs: Sequence[Sequence[NDArray]], floors: NDArray[np.float32]) -> float:
    """Read all raw outputs and merge what they show once more; give the milliseconds."""
    size = scan.views[0].size
    windows = plan_tiles(size, _TILE_PX, _OVERLAP_PX)
    started = time.perf_counter()
    merge_across_tiles(windows, [boxes_scores(boxes[0], scores[0], floors) for boxes, scores in outputs], size)
    return (time.perf_counter() - started) * 1000.0
