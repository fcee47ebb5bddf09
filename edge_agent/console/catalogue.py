"""From codes and parameters to words an officer reads (English). The journal and the wire carry codes only.

Masses in kg, lengths in mm. A code this version does not know is shown as it is, with its parameters: never hidden.
"""

from collections.abc import Mapping

from edge_agent.errors import Scalar
from edge_agent.wire.messages import CodeParams, ObstaclePart

_PERCENT = frozenset({"share", "free"})
_SCORES = frozenset({"score", "threshold"})

CONCLUSIONS = {
    "alert": ("ALERT", "bold white on red"),
    "no-alert": ("no alert", "green"),
    "unassessable": ("CANNOT JUDGE", "bold black on yellow"),
    "set-aside": ("SET ASIDE", "bold black on yellow"),
    "suspicious": ("suspicious", "bold red"),
    "not-suspicious": ("not suspicious", "green"),
    "rescan": ("rescan", "yellow"),
    "refer": ("referred", "yellow"),
    "found": ("FOUND", "bold red"),
    "nothing-found": ("nothing found", "green"),
    "not-examined": ("not examined", "yellow"),
}
"""Word and style of every conclusion of machine, officer and examination."""

ADVISORY = "advisory, not commissioned"

_REASONS = {
    "detection-alert": "{label} in view {view}, {count} found: best score {score}, alert from {threshold}",
    "heterogeneity": "the load differs from the declared goods ({families}): score {score}, alert from {threshold}",
    "mixed-load": "nothing usable is declared, and part of the load is unlike the rest ({families}): score {score}, alert from {threshold}",
    "declared-empty-but-loaded": "declared empty, but loaded: score {score}, alert from {threshold}",
    "declared-goods-but-empty": "goods are declared, but it looks empty: score {score}, alert from {threshold}",
    "weight-mismatch": "declared {declared_kg} kg, looks like {mass_kg} kg ({low_kg} to {high_kg}): score {score}, alert from {threshold}",
    "pixels-seen-before": "the same picture was delivered before for another subject (scan {twin})",
}

_OBSTACLES = {
    "view-missing": "a required view is missing",
    "energy-missing": "the picture of the energy that the model needs is missing",
    "check-missing": "the required check {check} was not done",
    "check-not-applicable": "no model here reads pictures of this kind ({quantity})",
    "dark": "{share} of the load is too dark to judge",
    "partial": "not all files of the scan arrived: {roles}{role} missing",
    "pitch-assumed": "the scale was fitted to the container, not measured",
    "pitch-unknown": "the scale of the picture is unknown",
    "goods-unknown": "the model does not know the declared goods: {headings}",
    "undeclared": "no goods were declared",
    "not-weighable": "the mass of the load cannot be told from this picture ({why})",
    "link-weak": "the declaration may be another scan's (by {basis}, score {link}): the load was not compared with it",
    "sidecar-unreadable": "the scanner's side-car cannot be read",
    "resource-missing": "a file that the side-car names is missing",
    "inference-failed": "the model failed on this scan",
    "out-of-time": "the time for this scan was over before the models finished",
    "model-missing": "no model for this check is installed",
    "member-undecodable": "one of the files cannot be decoded ({role})",
    "profile-unverified": "nobody has compared yet what profile {profile} reads with the vendor's own picture",
    "from-package": "read from a package of scan {scan_id}, revision {revision}",
    "too-small": "the picture has only {width} x {height} pixels",
    "constant": "the picture shows one grey level and nothing else",
    "noise-only": "the picture shows noise and nothing else",
    "all-air": "nothing is to be seen in the picture but air",
    "saturated": "{share} of the picture is fully black or fully white",
    "dead-lines": "dead or noisy lines in the picture: {rows} rows, {columns} columns",
    "polarity-doubtful": "the picture looks inverted: air seems to be dark",
    "blurred": "the picture is blurred",
}

_TOLD: Mapping[str, tuple[tuple[tuple[str, ...], str], ...]] = {
    "sidecar-unreadable": (
        (("field", "path", "problem"), "the scanner's side-car cannot be read: {field} = {path}: {problem}"),
        (("field", "problem"), "the scanner's side-car cannot be read: {field}: {problem}"),
        (("line", "problem"), "the scanner's side-car cannot be read: line {line}: {problem}"),
        (("problem",), "the scanner's side-car cannot be read: {problem}"),
        (("cause",), "the scanner's side-car cannot be read: {cause}"),
    ),
    "self-test-failed": (
        (("passed_at",), "the models fail their self-test: what was judged since {passed_at} may be wrong, and nothing is judged now"),
    ),
    "polarity-doubtful": (
        (("found",), "the profile leaves it to the picture whether air is bright or dark (detect), and its borders do not tell"),
    ),
}
"""Longer words for a code whose parameters say more: the first line whose parameters are all there counts."""

_PROBLEMS = {
    "not-a-time": "no date and time as the profile's time_format says",
    "unknown-word": "a word that is neither ours nor in [map.words]",
    "not-an-amount": "no number that can be meant",
    "not-a-number": "no number",
    "not-a-heading": "no heading of 4 to 10 digits",
    "other-root": "another outermost element than the profile's root",
    "doctype": "it has a DOCTYPE",
    "not-well-formed": "not well-formed",
    "encoding": "an encoding that is not read",
    "cut-off": "its end is not written",
    "limit-exceeded": "larger than the profile's limits allow",
    "unreadable-scan": "damaged",
    "unsupported-format": "another kind of document than the profile says",
}
"""Words for what is wrong with a side-car; others are shown as they are."""

_AUDIT = {
    "viewed": "{workstation} looked at the pictures of this scan (r{revision})",
    "opened": "an officer opened this scan at {workstation} (r{revision})",
    "systematic-fault": "an officer at {workstation} reports that the machine is wrong in a systematic way: {what}",
    "bundles-in-force": "other models are in force",
    "ledger-moved": "the ledger was found on another machine or folder: a new epoch began",
    "ledger-restored": "the ledger was restored from a backup: a new epoch began",
    "retention-swept": "retention took things away",
    "hold-placed": "put on legal hold ({reason})",
    "hold-released": "legal hold released ({reason})",
    "selected-not-scanned": "a selected consignment was not scanned by {due}",
    "selected-found-late": "a selected consignment was scanned after its time (scan {scan_id})",
    "numbering-gap": "the scanner's number {number} is missing",
    "numbering-gap-closed": "the scanner's number {number}, which was missing, came after all (scan {scan_id})",
    "duplicate-of": "the same scan was delivered again (scan {scan_id})",
    "peer-admitted": "{consumer} ({role}) connected for the first time this day; fingerprint {key}",
    "peer-refused": "somebody was not let in, {count} times ({reason})",
    "key-enrolled": "the key of {consumer} ({role}) was enrolled; fingerprint {key}",
    "key-revoked": "the key of {consumer} ({role}) was revoked; fingerprint {key}",
    "key-changed": "what {consumer} ({role}) may do, or its key, was changed; fingerprint {key}",
    "key-expired": "the time of {consumer}'s key ({role}) is over; fingerprint {key}",
    "identities-viewed": "{consumer} ({role}) was shown identifiers of this scan: {classes}",
    "vendor-analyst": "the analyst at the vendor's console concluded: {conclusion}",
}

_SET_ASIDE = {
    "scan-rejected": "the scan cannot be read",
    "unreadable-scan": "a file is empty, cut off or damaged",
    "unsupported-format": "the file's format is not known for this scanner",
    "inconsistent-scan": "the files of the scan contradict each other",
    "limit-exceeded": "the picture is larger than the limits allow",
    "decoder-died": "the file crashed the decoder",
    "decode-timed-out": "decoding took too long",
    "crashed-too-often": "the agent crashed repeatedly while this scan was in hand",
}

_HEALTH = {
    "self-test-failed": "the models failed their self-test: nothing is judged until they pass it",
    "running-on-cpu": "running on the CPU although a GPU is wanted ({why})",
    "folder-lost": "the folder of scanner {scanner} cannot be read",
    "disk-low": "only {free} of the disk is free",
    "disk-sparing": "only {free} of the disk is free: no new pictures and packages are kept; scans are assessed",
    "ledger-damaged": "the ledger failed its check ({why}): what it tells from there on cannot be relied on",
    "disk-full": "only {free} of the disk is free: no scan is accepted until there is space; scans stay with the scanner",
    "sandbox-partial": "the kernel does not fence the decoders in fully ({level}: {why})",
    "drop-overdue": "scanner {scanner}: {drops} deliveries are still being written, or cannot be read, long after their time",
    "selections-unreadable": "a list of selected consignments cannot be read ({why}); what was read before counts",
    "declarations-unreadable": "the file of declared goods cannot be read ({why}); the last good one counts",
    "consumer-expired": "the key of {consumer} has expired",
    "headquarters-unreached": "headquarters, to which this site connects, is not reached ({why}); nothing is lost, it pulls later",
    "allow-list-unreadable": "the file that says who may connect is wrong ({why}); the list of before is in force",
    "bundles-fell-back": "the active models do not work ({why}); the ones of before are in force",
    "shadow-unavailable": "the model on trial in shadow does not work ({why})",
    "shadow-partial": "the model on trial in shadow passed over {scans} scans that are too large for its part of the memory",
    "certificate-expired": "the commissioning certificate for {subject} has expired",
    "certificate-mismatch": "the commissioning certificate for {subject} was made for other models or another policy",
    "certificate-unusable": "the commissioning certificate for {subject} cannot be read or its signature does not fit",
    "weighing-expired": "the correction of weight estimates of scanner {scanner} has expired",
    "weighing-mismatch": "the correction of weight estimates of scanner {scanner} was made for another bundle, scanner or site",
    "weighing-unusable": "the correction of weight estimates of scanner {scanner} cannot be read or its signature does not fit",
}

VERDICT_REASONS = {
    "explained-by-declaration": "explained by the declared goods",
    "packing-or-pallet": "packing material or pallet",
    "part-of-container": "part of the container or vehicle",
    "picture-fault": "fault of the picture or the scanner",
    "seen-in-other-view": "clear in another view",
    "documents-checked": "documents checked",
    "known-shipment": "known regular shipment",
    "threat-visible": "threat visible to me",
    "passed-on": "passed on to a colleague",
}
"""What an officer may give as a reason, in the order of the keys 1 to 9."""

REASONS_FOR = {
    "suspicious": ("documents-checked", "threat-visible"),
    "not-suspicious": (
        *("explained-by-declaration", "packing-or-pallet", "part-of-container", "picture-fault"),
        *("seen-in-other-view", "documents-checked", "known-shipment"),
    ),
    "rescan": ("picture-fault",),
    "refer": ("picture-fault", "documents-checked", "threat-visible", "passed-on"),
}
"""Which of them speak for an officer's word: nobody clears a scan because a threat is visible."""

MISSED_LABELS = (
    *("weapon", "ammunition", "explosive", "drugs", "cigarettes", "tobacco", "alcohol", "currency", "gold", "electronics"),
    *("wildlife", "person", "radioactive", "undeclared-goods", "hidden-space", "other"),
)
"""What an officer can mark as missed by the machine."""

_REFERRED = {"decision-clock": "nobody decided in time"}
"""Why a scan was referred, where no officer did it."""

_SENTENCES = {**_REFERRED, **_OBSTACLES, **_AUDIT, **_SET_ASIDE, **_HEALTH, **VERDICT_REASONS, **_REASONS}


def codes() -> frozenset[str]:
    """Give every code that has words."""
    return frozenset(_SENTENCES)


def sentence(part: CodeParams) -> str:
    """Give the words for a reason, an obstacle, or the reason of a set-aside."""
    template = _SENTENCES.get(part.code)
    if template is None:
        listed = ", ".join(f"{name} {_shown(name, value)}" for name, value in part.params.items())
        words = f"{part.code} ({listed})" if listed else part.code
    else:
        told = (words for names, words in _TOLD.get(part.code, ()) if all(name in part.params for name in names))
        words = next(told, template).format_map(_Shown(part.params))
    if isinstance(part, ObstaclePart) and part.view is not None and "view" not in part.params:
        words = f"{words} (view {part.view})"
    return clean(words)


def conclusion(word: str) -> tuple[str, str]:
    """Give the words and the style of a conclusion; an unknown one as it is."""
    return CONCLUSIONS.get(word, (clean(word), "bold magenta"))


def clean(text: str) -> str:
    """Give text without control characters: what comes over a wire must not move the cursor or ring the bell."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


class _Shown(dict[str, str]):
    """Parameters as shown; a parameter that a template wants and the site did not send leaves a gap, never an error."""

    def __init__(self, params: Mapping[str, Scalar]) -> None:
        super().__init__({name: _shown(name, value) for name, value in params.items()})

    def __missing__(self, key: str) -> str:
        return "" if key in ("role", "roles") else "?"


def _shown(name: str, value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in ("problem", "cause"):
        return _PROBLEMS.get(str(value), str(value))
    if isinstance(value, float) and name in _PERCENT:
        return f"{value * 100:.0f} %"
    if isinstance(value, float) and name in _SCORES:
        return f"{value:.2f}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
