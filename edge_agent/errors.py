"""The whole error tree, sorted by what the caller must do.

Each leaf has a stable kebab-case ``code`` (log field, metric label, anchor in the documentation) and a ``hint`` for the person
at the workstation. Foreign exceptions are mapped once, at the adapter, keeping the cause.
"""

from collections.abc import Mapping
from typing import ClassVar, TypeAlias

Scalar: TypeAlias = str | int | float | bool


class EdgeAgentError(Exception):
    """Root of every error this package raises on purpose.

    ``detail`` says what happened in one sentence; ``fields`` holds the values a log line or a reason carries (codes and numbers,
    never personal data).
    """

    code: ClassVar[str] = "edge-agent-error"
    hint: ClassVar[str] = "Read the detail; if it does not help, send a support bundle."

    def __init__(self, detail: str, fields: Mapping[str, Scalar] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields: dict[str, Scalar] = dict(fields or {})


class ConfigError(EdgeAgentError):
    """Refuse to start: exit 78."""

    code = "config-error"
    hint = "Run `edge-agent check --config FILE`; it lists every problem with file and key."


class ConfigUnreadable(ConfigError):
    """The configuration file is absent, unreadable or not TOML."""

    code = "config-unreadable"
    hint = "Check the path and its permissions, and that the file is valid TOML."


class ConfigInvalid(ConfigError):
    """A key is unknown, missing, or has a value outside its range."""

    code = "config-invalid"
    hint = "Correct the named key; the example files in config/ show every key."


class PolicyInvalid(ConfigError):
    """The policy file names an unknown key, check or obstacle, or a threshold outside [0, 1]."""

    code = "policy-invalid"
    hint = "Correct the named key; docs/reference/policy.md explains each one."


class KeysMissing(ConfigError):
    """A CURVE key file that the configuration names is absent or readable by others."""

    code = "keys-missing"
    hint = "Make keys with `edge-agent keys new NAME`; secret keys must have mode 0600."


class SigningKeyUnusable(ConfigError):
    """A signing key file is absent, damaged, or its secret half is readable by others."""

    code = "signing-key-unusable"
    hint = "Make keys with `edge-agent bundle new-key NAME`; the secret file must have mode 0600."


class DeviceRequired(ConfigError):
    """The policy says require-gpu and the session does not run on CUDA."""

    code = "device-required"
    hint = "Install the CUDA extra and a driver, or set [device] policy to prefer-gpu or cpu."


class LibraryTooOld(ConfigError):
    """A library has a known fault that could cost data."""

    code = "library-too-old"
    hint = "Install apsw 3.51.3 or newer: SQLite before that can corrupt a ledger when its write-ahead log is reset."


class LedgerForeign(ConfigError):
    """The ledger belongs to another site, or a newer version of this program wrote it."""

    code = "ledger-foreign"
    hint = "Check [site] id and state_dir, and that no older version of edge-agent is installed than the one that wrote the ledger."


class BundleRejected(EdgeAgentError):
    """Refuse to start or to activate: exit 78."""

    code = "bundle-rejected"
    hint = "Restore the bundle's folder from where it came; do not edit files inside it."


class BundleCorrupt(BundleRejected):
    """A file of the bundle is missing or its SHA-256 differs from the card's."""

    code = "bundle-corrupt"
    hint = "Copy the bundle again, whole; a file is missing or was altered."


class BundleUnsigned(BundleRejected):
    """The bundle has no signature at all."""

    code = "bundle-unsigned"
    hint = "Ask headquarters for a signed bundle; one of your own make is signed with `edge-agent bundle sign`."


class BundleUntrusted(BundleRejected):
    """The bundle is signed, and whole, but with a key that is not trusted here."""

    code = "bundle-untrusted"
    hint = "Compare the key's fingerprint with its owner by telephone; if it is right, add the key to [bundles] trusted."


class BundleIncompatible(BundleRejected):
    """The card and the graph disagree, or the card asks for something this version does not offer."""

    code = "bundle-incompatible"
    hint = "Compare the card with the model's inputs and outputs: the detail says what was expected and found."


class BundleNotAllowed(BundleRejected):
    """The bundle is research-only and the configuration does not allow that."""

    code = "bundle-not-allowed"
    hint = "Research bundles must not run on live scans; set allow_research_models only for a trial."


class SelfTestFailed(BundleRejected):
    """The golden input did not give the golden output through the real path."""

    code = "self-test-failed"
    hint = "The device or the model misbehaves; nothing is called no-alert until the self-test passes."


class NothingToRollBack(BundleRejected):
    """No earlier set of bundles is kept."""

    code = "nothing-to-roll-back"
    hint = "See `edge-agent bundle list`; activate the bundle that you want by its folder."


class SignatureInvalid(EdgeAgentError):
    """A signature does not fit the content it stands beside, or is none."""

    code = "signature-invalid"
    hint = "Copy content and signature again from where they came; one of them was altered."


class SignerUnknown(EdgeAgentError):
    """A signature fits, but its key is not trusted here."""

    code = "signer-unknown"
    hint = "Compare the key's fingerprint with its owner by telephone before you trust it."


class CommissionRefused(EdgeAgentError):
    """The clean scans do not allow thresholds that keep the alarm budget."""

    code = "commission-refused"
    hint = "Bring the number of clean scans that the detail names, or allow a larger budget."


class WeighingRefused(EdgeAgentError):
    """The weighed loads do not allow a correction of the weight estimate."""

    code = "weighing-refused"
    hint = (
        "Bring 16-bit scans with a measured pixel size of at least ten loads, and their net masses in kg (not tonnes, without vehicle "
        "and container)."
    )


class DatasetUnusable(EdgeAgentError):
    """A labelled set is not in the COCO layout, or what it names is not there."""

    code = "dataset-unusable"
    hint = "Correct what the detail names; docs/how-to/evaluate-a-bundle.md describes the layout."


class CertificateUnusable(EdgeAgentError):
    """A commissioning certificate cannot be read, or its signature does not fit."""

    code = "certificate-unusable"
    hint = "Commission again with `edge-agent commission`; until then the bundles are advisory."


class ScanRejected(EdgeAgentError):
    """This drop will never be readable: set it aside and journal it."""

    code = "scan-rejected"
    hint = "Look at the file in quarantine; the original in the scanner's folder is untouched."


class UnreadableScan(ScanRejected):
    """A member is empty, truncated, or its content is not what its magic says."""

    code = "unreadable-scan"
    hint = "Export the scan again at the scanner; the file is damaged or incomplete."


class UnsupportedFormat(ScanRejected):
    """No codec reads this content, or no member rule of the profile knows the file."""

    code = "unsupported-format"
    hint = "Check that the right profile is configured for this scanner."


class InconsistentScan(ScanRejected):
    """Members contradict each other: planes of different sizes, a role twice."""

    code = "inconsistent-scan"
    hint = "Files of different scans may share a name; check the scanner's export settings."


class LimitExceeded(ScanRejected):
    """The header announces more pixels, planes or bytes than the limits allow."""

    code = "limit-exceeded"
    hint = "If the scanner really makes scans of this size, raise the limit in its profile."


class DecoderDied(ScanRejected):
    """The decode child ended without an answer (crash or memory limit)."""

    code = "decoder-died"
    hint = "The file crashes the decoder; keep it for the developers."


class DecodeTimedOut(ScanRejected):
    """The decode child did not answer before its deadline."""

    code = "decode-timed-out"
    hint = "The file takes too long to decode; keep it for the developers."


class CrashedTooOften(ScanRejected):
    """The process died again and again while it worked on this scan."""

    code = "crashed-too-often"
    hint = "Keep the file for the developers; `edge-agent quarantine retry` accepts it again."


class ScanUnassessable(EdgeAgentError):
    """Readable, but cannot be judged: becomes ``unassessable`` with an obstacle."""

    code = "scan-unassessable"
    hint = "An officer must judge this scan without the machine."


class ViewMissing(ScanUnassessable):
    """A view the profile requires is not there."""

    code = "view-missing"
    hint = "Look whether the scanner finished the scan; a late file makes a new revision."


class EnergyMissing(ScanUnassessable):
    """A plane of the energy that a model needs is not there."""

    code = "energy-missing"
    hint = "Look whether the scanner exports both energies."


class NotWeighable(ScanUnassessable):
    """The mass of the load cannot be told from this view."""

    code = "not-weighable"
    hint = "Weighing needs 16-bit transmission and the true size of a pixel; everything else is judged as usual."


class InferenceFailed(ScanUnassessable):
    """The model raised an error or gave values that are not numbers."""

    code = "inference-failed"
    hint = "An officer must judge this scan; if it happens again, send a support bundle."


class OutOfTime(ScanUnassessable):
    """The scan's deadline passed before the models finished."""

    code = "out-of-time"
    hint = "The workstation is too slow or too busy; see the timings in the log."


class TryLater(EdgeAgentError):
    """Nothing is wrong with the input: release, back off, try again."""

    code = "try-later"
    hint = "The agent tries again by itself."


class DropUnavailable(TryLater):
    """The scanner's folder or a member cannot be reached now (share unmounted, file locked)."""

    code = "drop-unavailable"
    hint = "Check that the scanner's share is mounted."


class MemberChanged(TryLater):
    """A member changed while it was copied."""

    code = "member-changed"
    hint = "The scanner is still writing; the agent waits."


class DecoderUnavailable(TryLater):
    """The decode child does not start: nothing is known against the file in hand."""

    code = "decoder-unavailable"
    hint = "Look for the decode child's own words in the journal; the installation may be incomplete or the memory too small."


class LedgerBusy(TryLater):
    """Another process holds the ledger."""

    code = "ledger-busy"
    hint = "Only one agent may use a state_dir; stop the other one."


class DiskLow(TryLater):
    """There is not enough free space to accept a scan."""

    code = "disk-low"
    hint = "Free space on the state_dir's file system; scans stay with the scanner until then."


class LedgerDamaged(EdgeAgentError):
    """The ledger failed its integrity check, or its chain does not verify."""

    code = "ledger-damaged"
    hint = "Stop the agent, keep the file, restore the last backup (it starts a new epoch)."


class ArchiveBusy(TryLater):
    """Another process holds headquarters' archive."""

    code = "archive-busy"
    hint = "Only one collector may write an archive; stop the other one. Reports may be read beside it."


class ArchiveDamaged(EdgeAgentError):
    """Headquarters' archive is not a database of ours, or failed its integrity check."""

    code = "archive-damaged"
    hint = "Stop the collector, keep the file, restore a backup; the sites send again what is missing."


class LedgerFailed(EdgeAgentError):
    """The file system refused to read, write or sync the ledger: end the process, nothing unsynced counts."""

    code = "ledger-failed"
    hint = "Look at the kernel's log and the disk under state_dir; the ledger must lie on a local file system."


class NotQuarantined(EdgeAgentError):
    """The named scan is not set aside."""

    code = "not-quarantined"
    hint = "List what is set aside with `edge-agent quarantine list`."


class PackageMissing(EdgeAgentError):
    """The scan has no package here: it was never kept, is not written yet, or went with retention."""

    code = "package-missing"
    hint = (
        "Check the scan id with `edge-agent scan show --state-dir DIR`; packages are written after the assessment, if keep_packages is on."
    )


class ExportRefused(EdgeAgentError):
    """An export in clear lacks its reason or role, or its target cannot take it."""

    code = "export-refused"
    hint = "Give --reason (a single word, as court-order) and --role with --full, or leave --full out for an anonymised export."


class BlobMissing(EdgeAgentError):
    """No blob has this SHA-256."""

    code = "blob-missing"
    hint = "Retention may have removed the picture; the assessment that names it remains."


class BlobDamaged(EdgeAgentError):
    """The bytes of a blob do not have the SHA-256 that names it."""

    code = "blob-damaged"
    hint = "The disk altered a stored picture; it is not shown. Check the disk."


class DeviceFailed(EdgeAgentError):
    """The device context is lost: end the process, exit 70."""

    code = "device-failed"
    hint = "The service restarts by itself; if it goes on, look at the driver's log."


class DeviceLost(DeviceFailed):
    """The accelerator reported an error that ends its context."""

    code = "device-lost"
    hint = "The service restarts by itself; if it goes on, look at the driver's log."


class DeviceOutOfMemory(DeviceFailed):
    """The accelerator has no memory left."""

    code = "device-out-of-memory"
    hint = "Close other programs that use the accelerator."


class PeerError(EdgeAgentError):
    """The other side's fault: refuse politely, count, go on."""

    code = "peer-error"
    hint = "Check the version and the keys of the other side."


class MalformedMessage(PeerError):
    """The bytes are not a message of this protocol."""

    code = "malformed"
    hint = "Check that the other side speaks the same protocol."


class UnsupportedVersion(PeerError):
    """No protocol version in common."""

    code = "proto"
    hint = "Update the older side."


class NotAllowed(PeerError):
    """The caller's key or role does not permit this."""

    code = "not-allowed"
    hint = "Enrol the caller's key with the right role in the site's agent.toml."


class TooLarge(PeerError):
    """A frame or a request is larger than the protocol allows."""

    code = "too-large"
    hint = "Ask for less at once."


class Diverged(PeerError):
    """Reader and site disagree about the journal: restored, rolled back or altered."""

    code = "diverged"
    hint = "Do not go on silently: an auditor must compare both journals."


class PeerSilent(PeerError):
    """The other side did not answer in time."""

    code = "peer-silent"
    hint = "Check the network, the endpoint, the server's key, and that your own key is enrolled at the site."


class ReasonRequired(PeerError):
    """A verdict against an alert came without a reason."""

    code = "reason-required"
    hint = "Give at least one reason when deciding against an alert."


class UnknownScan(PeerError):
    """The named scan or revision has no assessment at this site."""

    code = "unknown-scan"
    hint = "Check the scan's identity; a scan that was set aside has no assessment to judge."


class FreeTextRefused(PeerError):
    """A value that enters the hash chain looks like free text, which might name a person."""

    code = "free-text"
    hint = "Choose reasons from the catalogue; parameters are numbers or single words of it."


class EpochChanged(PeerError):
    """The site's journal began a new epoch: the reader's numbers belong to an older one."""

    code = "epoch"
    hint = "Read the new epoch from its beginning; facts that are already known are dropped."


class PeerFailed(PeerError):
    """The other side met a fault of its own while it answered."""

    code = "internal"
    hint = "Look at the other side's log; asking again may help."


class WrongSite(PeerError):
    """Another site answers at this endpoint, or rows of another site came from it."""

    code = "wrong-site"
    hint = "Compare id, endpoint and server_key of this site in collector.toml with the site's own agent.toml."
