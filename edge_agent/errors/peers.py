"""Errors of the other side of a socket: refuse politely, count, go on."""

from edge_agent.errors.root import EdgeAgentError


class PeerError(EdgeAgentError):
    """The other side's fault: refuse politely, count, go on."""

    code = "peer-error"
    hint = "Check the version and the keys of the other side."


class MalformedMessage(PeerError):
    """The bytes are not a message of this protocol."""

    code = "malformed"
    hint = "Check that the other side speaks the same protocol."


class AnswerUnreadable(MalformedMessage):
    """The other side answered, but what came cannot be read: it is not known what it did."""

    code = "answer-unreadable"
    hint = "Nothing has to be done: it is asked again under the same identity, which changes nothing where it was done."


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
    """The site has no such scan or revision, or nobody saw a picture of it, so that there is nothing to judge."""

    code = "unknown-scan"
    hint = "Check the scan's identity; a scan that was set aside can only be scanned again, referred, or examined."


class AmbiguousReference(PeerError):
    """A number that was given in the place of a scan's identity belongs to scans of several subjects."""

    code = "ambiguous-reference"
    hint = "Name the scan by its identity, or by a number that one container, parcel or vehicle bears."


class FormRefused(PeerError):
    """An examination's result does not answer the form as it asks; the fields name each answer that is wrong."""

    code = "form-refused"
    hint = "Correct the answers that are named; docs/reference/control-form.md says what each field takes."


class UnknownBlob(PeerError):
    """No fact of this site names such a blob, or there is no such view, plane, level or tile."""

    code = "unknown-blob"
    hint = "Ask for digests that an assessment names, and for planes that PLANES lists."


class BlobGone(PeerError):
    """A picture that was here is not given: retention took it, it was erased, or it is damaged."""

    code = "blob-gone"
    hint = "The facts about the scan remain. If the picture is damaged, look at the site's log and its disk."


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
