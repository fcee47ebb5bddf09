"""Scans and what was said of them, out of packages and journals, as files for others: package, DICOS, COCO, CSV.

Anonymised unless told otherwise. Pixels are decoded in the decode child. Every form carries the scan's kind, so that a projected,
simulated or staged threat never leaves as real traffic.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from edge_agent.agent.whole import write_whole
from edge_agent.domain.capture import CaptureKind
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import ScanId, SiteId, Token
from edge_agent.domain.scan import Plane, Scan
from edge_agent.errors import MalformedMessage, PackageMissing, UnsupportedFormat
from edge_agent.formats import dicos
from edge_agent.formats.child import DecodeChild
from edge_agent.formats.coco import ANNOTATIONS, IMAGES, CocoSet, image_name
from edge_agent.formats.encode import png_bytes
from edge_agent.formats.package import read_entries
from edge_agent.formats.package_model import ScanJson
from edge_agent.formats.package_rewrite import anonymise_package, copy_package
from edge_agent.ledger.reader import LedgerReader
from edge_agent.wire import lineage, messages
from edge_agent.wire.lineage import About, anonymised_fact, machine_word
from edge_agent.wire.messages import AnyBody, ControlBody, VerdictBody

_MOST_FACTS = 900  # a package has at most 1,024 entries; the last ones are what holds
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Dossier:
    """One package and what is known of its scan. ``identities``: values in clear by token, empty unless asked for."""

    package: Path
    document: ScanJson
    facts: tuple[AnyBody, ...] = ()
    identities: tuple[tuple[Token, IdentityValue], ...] = ()

    @property
    def about(self) -> About:
        """Give what every row repeats."""
        document = self.document
        return About(
            document.scan.id,
            document.scan.revision,
            CaptureKind(document.capture.kind),
            document.capture.selection.value,
            document.subject.kind.value,
            document.capture.taken_at.isoformat(),
            document.system.scanner_id,
            document.system.profile,
        )

    @property
    def stem(self) -> str:
        """Give how its files are called."""
        return f"{self.document.scan.id}.r{self.document.scan.revision}"

    @property
    def flat_stem(self) -> str:
        """Give the same without a dot: in DICOS names the dot ends what tells the scan (profile ``dicos``)."""
        return self.stem.replace(".", "-")


def of_files(paths: Sequence[Path], child: DecodeChild) -> list[Dossier]:
    """Give the dossiers of package files; nothing is known of them but what they hold. Every digest and pixel is verified in ``child``.

    Raises:
        ScanRejected: one is no package, damaged, or larger than allowed. TryLater: it cannot be opened now.
    """
    return [Dossier(path, child.open_package(path)[0]) for path in paths]


def of_site(state_dir: Path, scans: Sequence[str], *, in_clear: bool) -> tuple[SiteId, list[Dossier]]:
    """Give the site and the dossiers of scans in its state directory, of all packed scans when ``scans`` is empty.

    Raises:
        PackageMissing: a scan has no package.
        LedgerFailed, LedgerDamaged, UnreadableScan.
    """
    with closing(LedgerReader.open(state_dir / "ledger.db")) as reader:
        packed = [one for scan in scans for one in reader.packed(ScanId(scan))] if scans else reader.packed()
        missing = sorted(set(scans) - {one.scan_id for one in packed})
        if missing:
            raise PackageMissing(f"no package of {', '.join(missing)}", {"scans": len(missing)})
        return reader.site, [_of_scan(reader, state_dir / one.path, one.scan_id, in_clear=in_clear) for one in packed]


def _of_scan(reader: LedgerReader, package: Path, scan: ScanId, *, in_clear: bool) -> Dossier:
    if not package.is_file():
        raise PackageMissing(f"the package of {scan} is gone", {"scan_id": scan})
    document = read_entries(package)[0]
    facts = tuple(_known(reader.facts_of(scan)))
    return Dossier(package, document, facts, _identities(reader, document) if in_clear else ())


def _known(bodies: Iterable[bytes]) -> Iterator[AnyBody]:
    for body in bodies:
        try:
            yield messages.decode(body)
        except MalformedMessage:
            continue  # a kind of a newer version


def _identities(reader: LedgerReader, document: ScanJson) -> tuple[tuple[Token, IdentityValue], ...]:
    declared = () if document.declaration is None or document.declaration.id is None else (document.declaration.id,)
    tokens = [Token(token) for token in dict.fromkeys((*document.subject.equipment, *document.subject.related, *declared))]
    return tuple((row.token, IdentityValue(row.kind, row.value)) for row in reader.identities(tokens) if row.value is not None)


def export_package(dossier: Dossier, out: Path, *, in_clear: bool) -> Path:
    """Write a package with the facts of its scan as ``assessments/NNNN-<kind>.json``; in clear with ``identities.json`` too."""
    told = [fact for fact in dossier.facts if fact.kind != "audit"][-_MOST_FACTS:]
    facts = told if in_clear else [anonymised_fact(fact) for fact in told]
    more = {f"assessments/{number:04d}-{fact.kind}.json": messages.encode(fact) for number, fact in enumerate(facts, start=1)}
    path = out / f"{dossier.stem}.scan.zip"
    if not in_clear:
        anonymise_package(dossier.package, path, more, keeps_tokens=True)
        return path
    if dossier.identities:
        values = {token: {"kind": one.kind.value, "value": one.value} for token, one in dossier.identities}
        more["identities.json"] = json.dumps(values, indent=1).encode()
    copy_package(dossier.package, path, more)
    return path


def export_dicos(dossier: Dossier, out: Path, child: DecodeChild, *, in_clear: bool) -> list[Path]:
    """Write a DX for each grey plane and a report for each assessment, verdict and examination.

    Raises:
        UnsupportedFormat: pydicom is not installed. ScanRejected: the package cannot be decoded.
    """
    if dicos.unavailable():
        raise UnsupportedFormat(dicos.unavailable())
    from edge_agent.formats.dicos_write import dx_bytes, image_uid

    _, scan = child.open_package(dossier.package)
    subject = _subject_number(dossier) if in_clear else None
    written: list[Path] = []
    images: list[tuple[str, str]] = []
    for view in scan.views:
        for plane in (plane for plane in view.planes if plane.pixels.ndim == 2):
            name = f"{dossier.flat_stem}.{view.name}_{plane.quantity}_{plane.energy}.dcs"
            written.append(_write(out / name, dx_bytes(scan, view, plane, subject)))
            images.append((view.name, image_uid(scan.scan_id, scan.revision, view.name, plane.quantity, plane.energy)))
    return [*written, *_write_reports(dossier, tuple(images), out)]


def _write_reports(dossier: Dossier, images: tuple[tuple[str, str], ...], out: Path) -> Iterator[Path]:
    """Write the machine's last word, and each person's; a later one of the same voice replaces the earlier."""
    from edge_agent.formats.dicos_report import human_report, machine_report
    from edge_agent.formats.dicos_write import tdr_bytes

    machine = machine_word(dossier.facts, dossier.document.scan.revision)
    if machine is None:
        return
    yield _write(out / f"{dossier.flat_stem}.machine.tdr.dcs", tdr_bytes(machine_report(machine, images)))
    for fact in dossier.facts:
        if isinstance(fact, VerdictBody | ControlBody):
            who = "operator" if isinstance(fact, VerdictBody) else "ground-truth"
            anonymous = anonymised_fact(fact)
            assert isinstance(anonymous, VerdictBody | ControlBody)  # noqa: S101 - it keeps its kind
            yield _write(out / f"{dossier.flat_stem}.{who}.tdr.dcs", tdr_bytes(human_report(anonymous, machine, images)))


def _subject_number(dossier: Dossier) -> str | None:
    numbers = (one.value for _, one in dossier.identities if one.kind in (IdentityClass.CONTAINER, IdentityClass.PARCEL))
    return next(numbers, None)


def export_coco(dossiers: Iterable[Dossier], out: Path, child: DecodeChild) -> Path:
    """Write ``images/`` and ``annotations.json`` of all dossiers. It holds no identifiers, in clear or not."""
    found = CocoSet()
    (out / IMAGES).mkdir(parents=True, exist_ok=True)
    for dossier in dossiers:
        _, scan = child.open_package(dossier.package)
        for name, plane in _pictures(scan, dossier.about):
            _write(out / IMAGES / name, png_bytes(plane.pixels))
        for view in scan.views:
            found.add(dossier.about, view, dossier.facts)
    return _write(out / ANNOTATIONS, json.dumps(found.document(), indent=1).encode())


def _pictures(scan: Scan, about: About) -> Iterator[tuple[str, Plane]]:
    for view in scan.views:
        for plane in view.planes:
            yield image_name(about, view.name, plane), plane


def export_csv(dossiers: Sequence[Dossier], out: Path) -> list[Path]:
    """Write ``scans.csv``, ``findings.csv`` and ``labels.csv`` of all dossiers. They hold no identifiers, in clear or not."""
    told = [(dossier.about, tuple(anonymised_fact(fact) for fact in dossier.facts)) for dossier in dossiers]
    tables: Mapping[str, tuple[Sequence[str], Iterable[tuple[object, ...]]]] = {
        "scans.csv": (lineage.SCAN_COLUMNS, (lineage.scan_row(*one) for one in told)),
        "findings.csv": (lineage.FINDING_COLUMNS, (row for one in told for row in lineage.finding_rows(*one))),
        "labels.csv": (lineage.LABEL_COLUMNS, (row for one in told for row in lineage.label_rows(*one))),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, (columns, rows) in tables.items():
        with (out / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([_cell(value) for value in row] for row in rows)
    return [out / name for name in tables]


def _cell(value: object) -> object:
    """Keep a text from being run as a formula by a spreadsheet."""
    return "'" + value if isinstance(value, str) and value.startswith(_FORMULA) else value


def _write(path: Path, content: bytes) -> Path:
    """Write a file that is whole or not there, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content, 0o600)
    return path
