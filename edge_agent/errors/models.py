"""Errors of bundles, signatures, commissioning and the device that computes."""

from edge_agent.errors.root import EdgeAgentError


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
    hint = (
        "Bring the number of clean scans that the detail names, or allow a larger budget. Look again at the scans named above as alarming "
        "at any level: they may not be clean."
    )


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


class DeviceFailed(EdgeAgentError):
    """The device context is lost: end the process, exit 70."""

    code = "device-failed"
    hint = "The service restarts by itself; if it goes on, look at the driver's log."


class DeviceLost(DeviceFailed):
    """The accelerator reported an error that ends its context."""

    code = "device-lost"
    hint = "The service restarts by itself; if it goes on, look at the driver's log."


class DeviceUntrusted(DeviceFailed):
    """A golden case that came out at the start does not any more: the device answers, and wrongly."""

    code = "device-untrusted"
    hint = "The service restarts and proves its models anew; look again at scans since the last passed self-test, which health names."


class DeviceOutOfMemory(DeviceFailed):
    """The accelerator has no memory left."""

    code = "device-out-of-memory"
    hint = "Close other programs that use the accelerator."
