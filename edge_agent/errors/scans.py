"""Errors of one scan: it is set aside, or it cannot be judged."""

from edge_agent.errors.root import EdgeAgentError


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


class ImportUnreadable(EdgeAgentError):
    """A file of examinations' results is no such file at all: no CSV or JSON, unknown columns, or too long."""

    code = "import-unreadable"
    hint = "Compare the file with docs/reference/control-form.md; `edge-agent control form` lists the columns and their answers."


class ExportRefused(EdgeAgentError):
    """An export in clear lacks its reason or role, or its target cannot take it."""

    code = "export-refused"
    hint = "Give --reason (a single word, as court-order) and --role with --full, or leave --full out for an anonymised export."
