"""What the jobs of a site read from and write to."""

from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.maps import MapStore
from edge_agent.agent.memory import Memory, memory_for_scans
from edge_agent.agent.ports import UNARMED, FaultPoint
from edge_agent.agent.space import UNLIMITED, Room
from edge_agent.formats.package import PackageCodec
from edge_agent.intake.spool import Spool


@dataclass(frozen=True, slots=True)
class Storage:
    """Everything a job reads from and writes to. ``packages`` is None where packages are not kept."""

    ledger: LedgerLane
    spool: Spool
    maps: MapStore
    state_dir: Path
    packages: Path | None
    codec: PackageCodec = "zstd"
    keeps_originals: bool = False
    faults: FaultPoint = UNARMED
    room: Room = UNLIMITED
    memory: Memory = field(default_factory=lambda: Memory(memory_for_scans()))
