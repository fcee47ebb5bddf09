"""The Smiths ``DataForm`` side-car, versions V01.07 and V01.20, UTF-8 or UTF-16.

The vendor rewrites the file when an operator analyses the scan. Operator names, the country of number plates and the operations'
verdict codes are not read: nothing here needs the first two, and nobody has told us what the codes mean.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.third_party import ThirdPartyAssessment, ThirdPartyConclusion, ThirdPartyFinding
from edge_agent.errors import UnsupportedFormat
from edge_agent.formats.tree import Node, find, parse_path, read_xml, texts

_VERSION = "V01."
_ALARMS = ("alarm", "alert", "suspicious", "suspect")
_CLEARS = ("clear", "no alarm", "noalarm", "ok")
_PLACES = (
    ("**/Container", "ContainerId", IdentityClass.CONTAINER),
    ("**/Vehicle", "PlateNumber", IdentityClass.PLATE),
    ("**/Trailer", "PlateNumber", IdentityClass.PLATE),
    ("**/Vehicle", "Driver", IdentityClass.DRIVER),
    ("**/AdminData", "DeclarationID", IdentityClass.DECLARATION),
    (".", "TruckId", IdentityClass.VENDOR_SCAN),
)


@dataclass(frozen=True, slots=True)
class DataForm:
    """What we read of a ``DataForm``. ``date``: as written, empty when absent. ``resources``: names without those marked as deleted."""

    date: str
    system: str
    is_training: bool
    is_empty: bool
    identities: tuple[IdentityValue, ...]
    resources: tuple[str, ...]
    third_party: tuple[ThirdPartyAssessment, ...]


def read_dataform(data: bytes) -> DataForm | None:
    """Read a ``DataForm``; None when the document ends early, for then it may still be being written.

    Raises:
        UnreadableScan: not well-formed XML, or nested deeper than any real one.
        UnsupportedFormat: another kind of document, an unknown version, or a DOCTYPE.
    """
    form = read_xml(data, "DataForm")
    if form is None:
        return None
    version = _text(form, "Version")
    if not version.startswith(_VERSION):
        raise UnsupportedFormat("a DataForm of this version is not read", {"version": version[:16]})
    return DataForm(
        date=_text(form, "Date"),
        system=_text(form, "Operations/Operation[@Type=1]/System"),
        is_training=_text(form, "InTraining") == "1",
        is_empty=_text(form, "**/ProcessInstructions/IsContainerEmpty") == "1",
        identities=tuple(dict.fromkeys(_identities(form))),
        resources=tuple(dict.fromkeys(_resources(form))),
        third_party=tuple(_third_party(form)),
    )


def _text(node: Node, path: str) -> str:
    return next(iter(texts(node, parse_path(path))), "")


def _identities(form: Node) -> Iterator[IdentityValue]:
    for path, name, kind in _PLACES:
        for place in find(form, parse_path(path)):
            value = _text(place, name)
            if value:
                yield IdentityValue(kind, value, _confidence(_text(place, "OCR")) if name != "Driver" else None)


def _confidence(percent: str) -> float | None:
    """Give the reader's percentage as a share; -1 and anything that is no percentage say nothing."""
    return int(percent) / 100 if percent.isascii() and percent.isdigit() and int(percent) <= 100 else None


def _resources(form: Node) -> Iterator[str]:
    for resource in find(form, parse_path("**/Resources/Resource")):
        if resource.text and _text(resource, "@IsDeleted").lower() != "true":
            yield resource.text


def _third_party(form: Node) -> Iterator[ThirdPartyAssessment]:
    """Give the results of the vendor's own recognition. Its words are not published: what is not plainly an alarm is ``unknown``."""
    for operation in find(form, parse_path("Operations/Operation")):
        ended = _moment(_text(operation, "End"))
        for result in find(operation, parse_path("ATR_Results/ATR")):
            said = tuple(ThirdPartyFinding(text) for text in texts(result, parse_path("Comments/Label/Param")) if not _is_number(text))
            conclusion = _conclusion(_text(result, "Status"), _text(result, "Result"))
            yield ThirdPartyAssessment("dataform", _text(result, "@ATRType"), _text(result, "Version"), conclusion, said, ended)


def _conclusion(status: str, result: str) -> ThirdPartyConclusion:
    if status.lower() != "success":
        return ThirdPartyConclusion.UNKNOWN
    if result.lower() in _ALARMS:
        return ThirdPartyConclusion.ALERT
    return ThirdPartyConclusion.NO_ALERT if result.lower() in _CLEARS else ThirdPartyConclusion.UNKNOWN


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).removeprefix("-").isdigit()


def _moment(text: str) -> datetime | None:
    try:
        written = datetime.fromisoformat(text)
        return written.astimezone(UTC) if written.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
