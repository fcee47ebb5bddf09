"""What leaves a site in clear is journalled before it leaves: an audit fact about its scan, whether or not the daemon runs.

Only one process writes the ledger. Where the daemon has it, a command leaves a note in ``state_dir/departures/``, which the daemon journals
within some seconds and takes away; the command waits until the fact is in the ledger.
"""

import json
import time
import uuid
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edge_agent.agent.whole import write_whole
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import FactId, ScanId, SiteId
from edge_agent.errors import ExportRefused, LedgerBusy
from edge_agent.inference.owner import keep_owner
from edge_agent.ledger.audit import About, audit_entry
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.reader import LedgerReader
from edge_agent.ledger.records import Entry
from edge_agent.wire.messages import CodeParams

EXPORTED = "exported-in-clear"
"""Code of the audit fact that says a scan left with its identifiers."""
_FOLDER = "departures"
_PATIENCE_S = 20.0
_LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Departure:
    """An export of one scan. ``reason`` and ``role``: single words; ``form``: package, dicos or evidence."""

    departure_id: str
    scan: ScanId
    reason: str
    role: str
    form: str

    def entry(self, site: SiteId, at: datetime) -> Entry:
        """Give the audit fact; the same however often it is journalled."""
        event = CodeParams(code=EXPORTED, params={"reason": self.reason, "role": self.role, "format": self.form})
        return audit_entry(site, event, f"export {self.departure_id}", at, About(self.scan))


def departure(scan: ScanId, reason: str, role: str, form: str) -> Departure:
    """Give a departure that is none of before."""
    return Departure(str(uuid.uuid4()), scan, reason, role, form)


def journal_departure(state_dir: Path, site: SiteId, one: Departure, clock: Clock) -> FactId:
    """Journal a departure and give its fact, which is committed.

    Raises:
        ExportRefused: the daemon holds the ledger and did not journal it in time; nothing may leave.
        LedgerDamaged, LedgerForeign, LedgerFailed, DiskLow.
    """
    try:
        with closing(Ledger.open(state_dir / "ledger.db", site, clock)) as ledger:
            return ledger.append(one.entry(site, clock.now())).fact_id
    except LedgerBusy:
        return _by_note(state_dir, site, one, clock)


def _by_note(state_dir: Path, site: SiteId, one: Departure, clock: Clock) -> FactId:
    fact = one.entry(site, clock.now()).fact_id
    note = _place(state_dir, one)
    until = clock.monotonic() + _PATIENCE_S
    try:
        with closing(LedgerReader.open(state_dir / "ledger.db")) as reader:
            while reader.has_fact(fact) is None:
                if clock.monotonic() > until:
                    raise ExportRefused("the daemon holds the ledger and has not journalled the export; nothing was written")
                time.sleep(_LOOK_EVERY_S)
    finally:
        note.unlink(missing_ok=True)
    return fact


def _place(state_dir: Path, one: Departure) -> Path:
    """Write a note that the daemon can read, whoever runs this: it gets the owner of the state directory."""
    folder = state_dir / _FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        note = folder / f"{one.departure_id}.{one.scan}"
        content = json.dumps({"reason": one.reason, "role": one.role, "form": one.form}).encode()
        keep_owner(folder)
        write_whole(note, content, 0o644)
    except OSError as problem:
        raise ExportRefused(f"the export cannot be journalled: {folder}: {problem.strerror}") from problem
    return note


def noted_departures(state_dir: Path) -> list[tuple[Path, Departure]]:
    """Give the notes that wait. What a note says may be unreadable: it is a departure all the same."""
    folder = state_dir / _FOLDER
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [(folder / name, found) for name in names if (found := _read(folder / name)) is not None]


def _read(note: Path) -> Departure | None:
    number, _, scan = note.name.partition(".")
    try:
        who, what = str(uuid.UUID(number)), str(uuid.UUID(scan))
    except ValueError:
        return None  # not whole yet, or nothing of ours
    try:
        said = json.loads(note.read_text("utf-8"))
        words = [str(said[name])[:40] for name in ("reason", "role", "form")]
    except (OSError, ValueError, KeyError, TypeError):
        words = ["unknown"] * 3
    return Departure(who, ScanId(what), *words)
