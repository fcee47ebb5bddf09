"""A weighbridge's list and the scans of the same loads: each row finds its scan, each scan gives what the weight bundle reads of it."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.agent.at_hand import ReadScan, Workbench, member_digests
from edge_agent.agent.weighing import LeftOut, Weighed, WeighedScans
from edge_agent.domain.drop import Drop
from edge_agent.domain.identity import IdentityClass
from edge_agent.domain.ids import DropKey, ScannerId, SiteId, content_digest, scan_id
from edge_agent.domain.profile import Profile
from edge_agent.domain.scan import Scan
from edge_agent.errors import ConfigInvalid, ConfigUnreadable, NotWeighable, ScanRejected, ScanUnassessable
from edge_agent.inference.weight import ContainerScale, ScaleReading

MOST_KG = 100_000.0
"""More than any container or lorry carries."""
_NUMBERED = (IdentityClass.CONTAINER, IdentityClass.PARCEL)
_COLUMNS = ({"scan", "mass_kg"}, {"scan", "gross_kg", "tare_kg"})


@dataclass(frozen=True, slots=True)
class Seen:
    """A scan at hand: every name by which a row may call it, and its reading, or the code of why there is none."""

    key: DropKey
    names: frozenset[str]
    reading: ScaleReading | None
    why: str = ""


def read_masses(path: Path) -> Mapping[str, float]:
    """Read the list: net mass of the load in kg by the name of the scan, as it is written there.

    Raises:
        ConfigUnreadable: no such file, or no text. ConfigInvalid: naming the line that is wrong.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigUnreadable(f"{path}: {type(problem).__name__}") from problem
    return parse_masses(text, path.name)


def parse_masses(text: str, where: str) -> Mapping[str, float]:
    """Read the list from its text; ``where`` names it in errors. Columns are parted by commas or by semicolons.

    Raises:
        ConfigInvalid: naming the line that is wrong.
    """
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in text.partition("\n")[0] else ",", skipinitialspace=True)
    columns = {name.strip().lower() for name in reader.fieldnames or ()}
    if not any(wanted <= columns for wanted in _COLUMNS):
        raise ConfigInvalid(f"{where}: the first line must name the columns scan and mass_kg, or scan, gross_kg and tare_kg")
    masses: dict[str, float] = {}
    taken: set[str] = set()
    try:
        for row in reader:
            line = f"{where}, line {reader.line_num}"
            cells = {name.strip().lower(): (cell or "").strip() for name, cell in row.items() if isinstance(name, str)}
            name, mass = cells["scan"], _mass(cells, line)
            if not spelling(name) or spelling(name) in taken:
                raise ConfigInvalid(f"{line}: the scan is not named, or stands on an earlier line too")
            taken.add(spelling(name))
            masses[name] = mass
    except csv.Error as problem:
        raise ConfigInvalid(f"{where}, line {reader.line_num}: {problem}") from problem
    return masses


def _mass(cells: Mapping[str, str], line: str) -> float:
    """Give the net mass: as written, or what is left of gross without tare."""
    try:
        net, gross, tare = (cells.get(column, "") for column in ("mass_kg", "gross_kg", "tare_kg"))
        mass = float(net) if net else float(gross) - float(tare)
    except ValueError as problem:
        raise ConfigInvalid(f"{line}: mass_kg, or gross_kg and tare_kg, must be numbers with a decimal point") from problem
    if not 0.0 <= mass <= MOST_KG:
        raise ConfigInvalid(f"{line}: the load must weigh from 0 to {MOST_KG:.0f} kg")
    return mass


def spelling(name: str) -> str:
    """Give a name as names are compared: capitals, without blanks and dashes, as container numbers are written in many ways."""
    return "".join(sign for sign in name.upper() if sign not in " -")


def look(drop: Drop, profile: Profile, bench: Workbench, scale: ContainerScale, of: tuple[SiteId, ScannerId]) -> Seen:
    """Read one drop and weigh it plainly. ``of``: site and scanner, under which the journal knows its scan id."""
    digests = tuple(member_digests(drop, profile))
    digest = content_digest((member.role, member.sha256) for member in digests if member.is_pixels)
    names = {spelling(drop.key), spelling(scan_id(*of, drop.key, digest))}
    try:
        reading = bench.read(drop, profile, digests)
        names |= _names(reading)
        return Seen(drop.key, frozenset(names), _weigh(reading.scan, scale))
    except (ScanRejected, ScanUnassessable) as problem:
        return Seen(drop.key, frozenset(names), None, problem.code)


def _names(reading: ReadScan) -> set[str]:
    """Give the scan's own id, which a package brings along, and the numbers in its side-car."""
    return {spelling(reading.scan.scan_id), *(spelling(one.value) for one in reading.identities if one.kind in _NUMBERED)}


def _weigh(scan: Scan, scale: ContainerScale) -> ScaleReading:
    """Read the first view that tells the mass, as ``analysis.run`` does.

    Raises:
        ScanUnassessable: no view does; the first one's reason.
    """
    reasons: list[ScanUnassessable] = []
    for view in scan.views:
        try:
            return scale.read(view)
        except ScanUnassessable as problem:
            reasons.append(problem)
    raise reasons[0] if reasons else NotWeighable("the scan has no view", {"why": "view-missing"})


def match(masses: Mapping[str, float], seen: Sequence[Seen]) -> WeighedScans:
    """Put rows and scans together. A row that several scans answer to, or a scan that several rows name, is in no pair."""
    named = {name: [scan for scan in seen if spelling(name) in scan.names] for name in masses}
    asked = [scan.key for scans in named.values() if len(scans) == 1 for scan in scans]
    loads: list[Weighed] = []
    unmatched: list[LeftOut] = []
    unweighable: list[LeftOut] = []
    for name, scans in named.items():
        if (why := _why_not(scans, asked)) is not None:
            unmatched.append(LeftOut(name, why))
        elif scans[0].reading is None:
            unweighable.append(LeftOut(name, scans[0].why))
        else:
            loads.append(Weighed(scans[0].reading, masses[name]))
    return WeighedScans(tuple(loads), tuple(unmatched), tuple(unweighable))


def _why_not(scans: Sequence[Seen], asked: Iterable[DropKey]) -> str | None:
    if len(scans) != 1:
        return "several-scans" if scans else "no-scan"
    return "several-rows" if list(asked).count(scans[0].key) > 1 else None
