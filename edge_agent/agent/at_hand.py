"""Files at hand, without a daemon: the same decoding, models and policy, one drop after the other, nothing stored."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from edge_agent.agent.assemble import Record, assemble, distinct, missing_views, of_package, with_attachments
from edge_agent.agent.engine import Engine, Judgement
from edge_agent.agent.lanes import Lane
from edge_agent.agent.lifecycle import cores_granted
from edge_agent.agent.particulars import Context, Declared, gather
from edge_agent.agent.scanner import Scanner, ScannerSection
from edge_agent.analysis.policy import Policy
from edge_agent.domain.arrival import Particulars
from edge_agent.domain.assessment import Reason
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.clock import Clock
from edge_agent.domain.consignment import Consignment
from edge_agent.domain.declaration import Declaration, DeclaredItem
from edge_agent.domain.drop import Completeness, Drop, ProbeResult
from edge_agent.domain.finding import Detection
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import ScannerId, SiteId, content_digest, scan_id
from edge_agent.domain.member import MemberDigest
from edge_agent.domain.profile import Need, Profile
from edge_agent.domain.scan import Scan
from edge_agent.errors import ConfigUnreadable, ScanRejected
from edge_agent.formats.child import DecodeChild
from edge_agent.formats.members import MemberFile
from edge_agent.inference.load import load_models
from edge_agent.inference.selftest import run_selftest
from edge_agent.inference.session import DevicePolicy
from edge_agent.inference.store import Admission
from edge_agent.intake.grouping import FileEntry, group, is_unknown
from edge_agent.intake.reconcile import read_folder

SITE, SCANNER = SiteId("at-hand"), ScannerId("at-hand")


@dataclass(frozen=True, slots=True)
class Rules:
    """How files at hand are to be read.

    ``subject``: None = a parcel where the side-car names one, else cargo. ``declared``: headings that stand in for a declaration, None =
    what the side-car says.
    """

    subject: SubjectKind | None
    pitch_mm: tuple[float, float] | Literal["from-container"] | None
    declared: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of one drop: a judged scan, or why it was rejected."""

    drop: Drop
    members: tuple[MemberDigest, ...]
    particulars: Particulars | None
    scan: Scan | None
    judgement: Judgement | None
    rejected: ScanRejected | None


def find_drops(paths: Sequence[Path], profiles: Sequence[Profile]) -> list[tuple[Drop, Profile]]:
    """Put the files of ``paths`` (files or folders) into drops; the first profile that finds its required members gets a drop.

    Files that no profile takes come last, as drops of their own under the last profile, and will be rejected.

    Raises:
        ConfigUnreadable: a path does not exist.
    """
    files = [entry for path in paths for entry in _entries(path, profiles)]
    found: list[tuple[Drop, Profile]] = []
    for profile in profiles:
        drops = [drop for drop in group(SCANNER, files, profile) if _is_whole(drop, profile)]
        found += [(drop, profile) for drop in drops]
        taken = {member.path for drop in drops for member in drop.members}
        files = [file for file in files if file.path not in taken]
    return found + [(drop, profiles[-1]) for drop in group(SCANNER, files, profiles[-1])]


def _entries(path: Path, profiles: Sequence[Profile]) -> list[FileEntry]:
    if path.is_dir():
        return list(read_folder(path, profiles[-1].ignores))
    try:
        found = path.stat()
    except OSError as problem:
        raise ConfigUnreadable(f"{path}: {problem.strerror}") from problem
    return [FileEntry(path.name, path, found.st_size, found.st_mtime_ns)]


def _is_whole(drop: Drop, profile: Profile) -> bool:
    roles = {member.role for member in drop.members}
    return not is_unknown(drop) and all(rule.role in roles for rule in profile.members if rule.need is Need.REQUIRED)


@dataclass(frozen=True, slots=True, eq=False)
class ReadScan:
    """A drop as it was read. ``notes``: what was remarked on the way. ``identities``: what the side-car names, in clear."""

    particulars: Particulars
    scan: Scan
    notes: tuple[Reason, ...]
    identities: tuple[IdentityValue, ...]


class ScanReader:
    """Makes scans of drops: decoded in a child, with what the rules say put in the place of what the files say."""

    def __init__(self, child: DecodeChild, rules: Rules) -> None:
        self._child = child
        self._rules = rules

    def read(self, drop: Drop, profile: Profile, digests: tuple[MemberDigest, ...]) -> ReadScan:
        """Decode one drop.

        Raises:
            ScanRejected: it cannot be read.
        """
        members = [MemberFile(member.name, member.role, member.path) for member in drop.members]
        probe = self._child.probe(members, profile)
        decoded = self._child.decode(members, profile)
        subject = self._rules.subject or _subject_of(probe)
        record = of_package(self._record(drop, digests, probe, subject), decoded.notes)
        scanner = self._scanner(profile, subject)
        scan = with_attachments(assemble(record, decoded.views, scanner), decoded.media_types, scanner)
        notes = distinct(record.particulars.notes, decoded.notes, missing_views(scan, scanner))
        return ReadScan(record.particulars, scan, notes, () if probe.sidecar is None else probe.sidecar.identities)

    def declaring(self, headings: tuple[str, ...]) -> "ScanReader":
        """Give a reader with the same child and rules for which ``headings`` stand in for the declaration."""
        return ScanReader(self._child, replace(self._rules, declared=headings))

    def _record(self, drop: Drop, digests: tuple[MemberDigest, ...], probe: ProbeResult, subject: SubjectKind) -> Record:
        if probe.completeness is Completeness.WAITING:  # nobody will bring what is missing
            probe = ProbeResult(Completeness.HOPELESS, probe.members, probe.expected_bytes, probe.sidecar, probe.reason, probe.params)
        written_at = datetime.fromtimestamp(max(member.mtime_ns for member in drop.members) / 1e9, UTC)
        headings = self._rules.declared
        items = None if headings is None else tuple(DeclaredItem(heading) for heading in headings)
        declared = None if items is None else Declared(Declaration(items, "declarations"), Consignment())
        context = Context(subject, written_at, (), declared)
        digest = content_digest((member.role, member.sha256) for member in digests if member.is_pixels)
        return Record(scan_id(SITE, SCANNER, drop.key, digest), 1, gather(probe, (), context), digests)

    def _scanner(self, profile: Profile, subject: SubjectKind) -> Scanner:
        section = ScannerSection(
            id=SCANNER, profile=profile.name, watch=Path("/"), timezone="UTC", subject=subject, pitch_mm=self._rules.pitch_mm
        )
        return Scanner(section, profile)


def _subject_of(probe: ProbeResult) -> SubjectKind:
    named = () if probe.sidecar is None else {one.kind for one in probe.sidecar.identities}
    return SubjectKind.PARCEL if IdentityClass.PARCEL in named else SubjectKind.CARGO


class Workbench:
    """Judges drops in the calling thread, tiles on as many threads as there are cores."""

    def __init__(self, engine: Engine, reader: ScanReader) -> None:
        self.engine = engine
        self._reader = reader

    def assess(self, drop: Drop, profile: Profile) -> Outcome:
        """Decode and judge one drop.

        Raises:
            DeviceFailed: the device is lost.
        """
        digests = tuple(member_digests(drop, profile))
        try:
            reading = self.read(drop, profile, digests)
        except ScanRejected as problem:
            return Outcome(drop, digests, None, None, None, problem)
        return Outcome(drop, digests, reading.particulars, reading.scan, self.engine.judge(reading.scan, reading.notes), None)

    def read(self, drop: Drop, profile: Profile, digests: tuple[MemberDigest, ...]) -> ReadScan:
        """Decode one drop.

        Raises:
            ScanRejected: it cannot be read.
        """
        return self._reader.read(drop, profile, digests)

    def declaring(self, headings: tuple[str, ...]) -> "Workbench":
        """Give the same bench for a scan of which ``headings`` were declared."""
        return Workbench(self.engine, self._reader.declaring(headings))

    def alerts(self, detection: Detection, subject: SubjectKind) -> bool:
        """Tell whether a detection alone is enough for an alert."""
        levels = self.engine.loaded.models.alert_levels(subject)
        return detection.score >= self.engine.policy.of(subject).levels(detection.label, levels[detection.label]).alert_at


@contextmanager
def open_workbench(
    policy: Policy, bundles: Path, device: DevicePolicy, rules: Rules, clock: Clock, admission: Admission
) -> Iterator[Workbench]:
    """Load models, prove them with their golden cases, start a decode child; everything ends on leaving.

    Raises:
        BundleRejected, DeviceRequired: the models cannot be used.
    """
    threads, cpu = Lane("device", cores_granted()), Lane("cpu")
    child = DecodeChild()
    try:
        loaded = load_models(bundles, device, admission.trust, allow_research=admission.allow_research)
        run_selftest(loaded, threads.fan)
        config_digest = hashlib.sha256(b"").hexdigest()  # there is no agent.toml behind these assessments
        yield Workbench(Engine(loaded, policy, threads, cpu, clock, config_digest), ScanReader(child, rules))
    finally:
        child.close()
        threads.close()
        cpu.close()


def member_digests(drop: Drop, profile: Profile) -> Iterator[MemberDigest]:
    """Give the digest of every file of a drop."""
    for member in drop.members:
        rule = profile.rule(member.role)
        with member.path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        yield MemberDigest(member.name, member.role, member.size, sha256, is_pixels=rule is not None and rule.has_pixels)
