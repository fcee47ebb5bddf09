"""Commissioning certificates: which thresholds hold at this site, on what evidence, and until when.

One JSON file for each kind of subject under ``state_dir/bundles/commission``; a signature file may stand beside it. A certificate
counts for exactly the bundles and the policy that it names: the whole-scan rate is a property of all of them together. One that is
replaced is kept in ``superseded/``: the journal names certificates by digest, and somebody may ask years later what levels a scan met.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from edge_agent.agent.whole import write_whole
from edge_agent.analysis.policy import Levels, Policy
from edge_agent.domain.assessment import BundleState, BundleUse, Reason
from edge_agent.domain.capture import SubjectKind
from edge_agent.errors import CertificateUnusable, SignatureInvalid, SignerUnknown
from edge_agent.inference.owner import keep_owner
from edge_agent.kpi.intervals import clopper_pearson
from edge_agent.kpi.rates import Rate
from edge_agent.ledger.connection import sync_folder
from edge_agent.signing.detached import Trust, check_document, sign_document
from edge_agent.signing.keys import SigningKey

_PURPOSE = "certificate"
_SIGNATURE = ".signature.json"
_SUPERSEDED = "superseded"
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Part(BaseModel):
    """A table of a certificate."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Document(Part):
    """A whole certificate, of alert levels or of weight estimates."""

    @property
    def written(self) -> bytes:
        """Its content as a file."""
        return self.model_dump_json(indent=1).encode() + b"\n"

    @property
    def digest(self) -> str:
        """SHA-256 of it as a file, by which the journal names it."""
        return hashlib.sha256(self.written).hexdigest()


Kind = TypeVar("Kind", bound=Document)


class RatePart(Part):
    """Alarms among ``n`` clean scans, with the exact 95 % interval of Clopper and Pearson."""

    alarms: int
    n: int
    low: Share
    high: Share

    @classmethod
    def of(cls, rate: Rate) -> "RatePart":
        """Give the rate with its interval."""
        interval = clopper_pearson(rate.hits, rate.n)
        return cls(alarms=rate.hits, n=rate.n, low=round(interval.low, 5), high=round(interval.high, 5))


class CheckPart(Part):
    """One check: its threshold, whether the policy fixed it, and its own alarms, which say nothing without the whole-scan rate."""

    check: str
    threshold: Share
    is_fixed: bool
    rate: RatePart


class CoveredBundle(Part):
    """A bundle that the certificate counts for; ``sha256`` of its card."""

    name: str
    version: str
    sha256: str


class Certificate(Document):
    """What was found at a site for one kind of subject.

    ``source``: files at hand, or the journal's scores. ``whole_scan``: alarms on the scans that the thresholds were made from.
    ``held_out``: on scans that had no part in the thresholds they were judged by; absent when there were too few.
    ``skipped``: scans brought that could not be read or judged, and so are in no rate. ``together``: labels of a detector whose levels
    could only move together, because the scans were too few for a level of its own each.
    """

    format: Literal["certificate/1"] = "certificate/1"
    site: str
    subject: SubjectKind
    source: Literal["scans", "journal"]
    made_at: AwareDatetime
    not_after: AwareDatetime
    bundles: tuple[CoveredBundle, ...]
    policy_sha256: str
    budget: Share
    whole_scan: RatePart
    held_out: RatePart | None
    checks: tuple[CheckPart, ...]
    skipped: int
    together: tuple[tuple[str, ...], ...] = ()

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Thresholds that the site's scans set; those of the policy are not repeated."""
        return {part.check: part.threshold for part in self.checks if not part.is_fixed}

    def covers(self, site: str, bundles: Iterable[BundleUse], policy_sha256: str) -> bool:
        """Tell whether it was made at this site for exactly these bundles under this policy."""
        same = {part.sha256 for part in self.bundles} == {use.sha256 for use in bundles}
        return same and (self.site, self.policy_sha256) == (site, policy_sha256)


def write_certificate(folder: Path, certificate: Certificate, key: SigningKey | None) -> Path:
    """Write the certificate of its kind of subject in place of an earlier one; signed when a key is given."""
    return write_document(certificate_path(folder, certificate.subject), certificate, key)


def certificate_path(folder: Path, subject: SubjectKind) -> Path:
    """Give where the certificate of a kind of subject lies."""
    return folder / f"{subject.value}.json"


def write_document(path: Path, content: Document, key: SigningKey | None) -> Path:
    """Write a document of the certificates' folder in place of an earlier one, which is kept; signed when a key is given."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    raw = content.written
    _keep_superseded(path)
    # An old signature beside a new certificate would make both useless after a death in between; so it goes first.
    path.with_suffix(_SIGNATURE).unlink(missing_ok=True)
    sync_folder(path.parent)
    write_whole(path, raw)
    if key is not None:
        write_whole(path.with_suffix(_SIGNATURE), sign_document(key, _PURPOSE, raw))
    sync_folder(path.parent)
    keep_owner(path.parent.parent)
    return path


def _keep_superseded(path: Path) -> None:
    """Give an earlier document and its signature a second name, of its day and digest, under which nothing replaces them."""
    if not path.exists():
        return
    folder = path.parent / _SUPERSEDED
    folder.mkdir(exist_ok=True, mode=0o700)
    day = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    kept = folder / f"{path.stem}-{day:%Y%m%d}-{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}.json"
    for source, name in ((path, kept), (path.with_suffix(_SIGNATURE), kept.with_suffix(_SIGNATURE))):
        with suppress(FileExistsError, FileNotFoundError):  # kept by an attempt that died; never signed
            os.link(source, name)
    sync_folder(folder)


def read_document(path: Path, kind: type[Kind], trust: Trust, *, must_be_signed: bool = False) -> Kind | None:
    """Read a document of the certificates' folder; None where there is none. A signature beside it must fit and be trusted.

    Raises:
        CertificateUnusable: it cannot be read, its signature does not fit, or it ``must_be_signed`` and is not.
    """
    signature = path.with_suffix(_SIGNATURE)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise CertificateUnusable(f"{path}: {problem.strerror}", {"file": path.name}) from problem
    try:
        if signature.exists():
            check_document(signature.read_bytes(), _PURPOSE, raw, trust)
        elif must_be_signed:
            raise CertificateUnusable(f"{path.name} is not signed, and [bundles] require_signed_certificates is set", {"file": path.name})
        return kind.model_validate_json(raw)
    except (OSError, ValidationError, SignatureInvalid, SignerUnknown) as problem:
        raise CertificateUnusable(f"{path.name}: {type(problem).__name__}", {"file": path.name}) from problem


@dataclass(frozen=True, slots=True)
class Commissioning:
    """The certificates that count at a site now, and what is wrong with the others. ``subjects``: what passes the site's scanners."""

    subjects: frozenset[SubjectKind] = frozenset()
    certificates: tuple[Certificate, ...] = ()
    problems: tuple[Reason, ...] = ()

    def applied(self, policy: Policy, without: frozenset[str] = frozenset()) -> Policy:
        """Give the policy with the site's thresholds under its own: what the risk analysts wrote wins.

        ``without``: checks whose scores come from another bundle than the one that the thresholds were made with.
        """
        for certificate in self.certificates:
            levels = {check: level for check, level in certificate.thresholds.items() if check not in without}
            site = {check: Levels(show_at=level / 2, alert_at=level) for check, level in levels.items()}
            policy = policy.with_levels(certificate.subject, {**site, **policy.of(certificate.subject).labels})
        return policy

    def use(self, bundle: BundleUse, subjects: frozenset[SubjectKind], now: datetime) -> BundleUse:
        """Give a bundle with its state at this site. ``subjects``: what the bundle applies to.

        It is commissioned when an unexpired certificate names it for every kind of subject here that it applies to. A card cannot
        claim that by itself.
        """
        valid = {one.subject for one in self.certificates if now < one.not_after and bundle.sha256 in {b.sha256 for b in one.bundles}}
        here = subjects & self.subjects
        if here and here <= valid:
            return replace(bundle, state=BundleState.COMMISSIONED)
        return replace(bundle, state=BundleState.SHADOW) if bundle.state is BundleState.COMMISSIONED else bundle

    def reasons(self, now: datetime) -> tuple[Reason, ...]:
        """Give why health is not better: certificates that expired, fit no more, or cannot be read."""
        expired = [Reason("certificate-expired", {"subject": one.subject.value}) for one in self.certificates if now >= one.not_after]
        return (*self.problems, *expired)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a certificate must have been made for. ``bundles``: those in force that look at each kind of subject that passes here.

    ``must_be_signed``: whether one without a signature is refused.
    """

    site: str
    bundles: Mapping[SubjectKind, Sequence[BundleUse]]
    policy_sha256: str
    trust: Trust
    must_be_signed: bool = False


def find_commissioning(folder: Path, present: Circumstances) -> Commissioning:
    """Read the certificates of a site for the kinds of subject that pass its scanners."""
    found: list[Certificate] = []
    problems: list[Reason] = []
    for subject in sorted(present.bundles):
        try:
            path = certificate_path(folder, subject)
            certificate = read_document(path, Certificate, present.trust, must_be_signed=present.must_be_signed)
        except CertificateUnusable as problem:
            problems.append(Reason(problem.code, {"subject": subject.value}))
            continue
        if certificate is None:
            continue
        if certificate.subject is subject and certificate.covers(present.site, present.bundles[subject], present.policy_sha256):
            found.append(certificate)
        else:
            problems.append(Reason("certificate-mismatch", {"subject": subject.value}))
    return Commissioning(frozenset(present.bundles), tuple(found), tuple(problems))
