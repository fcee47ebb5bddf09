"""The Smiths ``DataForm`` side-car, versions V01.07 and V01.20, UTF-8 or UTF-16, read as a stream by expat.

Operator names and OCR results in it are not read: nothing here needs them. The vendor rewrites the file when an operator analyses
the scan; of what is read here, only the declared and the recognised identifiers can change by that.
"""

from dataclasses import dataclass
from xml.parsers import expat

from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.errors import UnreadableScan, UnsupportedFormat

_MAX_DEPTH = 64
_MAX_TEXT = 4096
_VERSION = "V01."
_ENDS_EARLY = (
    expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
    expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION],
)
_IDENTITIES = {
    ("Container", "ContainerId"): IdentityClass.CONTAINER,
    ("Vehicle", "PlateNumber"): IdentityClass.PLATE,
    ("Trailer", "PlateNumber"): IdentityClass.PLATE,
    ("Vehicle", "Driver"): IdentityClass.DRIVER,
    ("AdminData", "DeclarationID"): IdentityClass.DECLARATION,
}


@dataclass(frozen=True, slots=True)
class DataForm:
    """What we read of a ``DataForm``. ``date``: as written, empty when absent. ``resources``: names without those marked as deleted."""

    date: str
    is_training: bool
    is_empty: bool
    identities: tuple[IdentityValue, ...]
    resources: tuple[str, ...]


def read_dataform(data: bytes) -> DataForm | None:
    """Read a ``DataForm``; None when the document ends early, for then it may still be being written.

    Raises:
        UnreadableScan: not well-formed XML, or nested deeper than any real one.
        UnsupportedFormat: another kind of document, an unknown version, or a DOCTYPE.
    """
    reading = _Reading()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reading.doctype
    parser.StartElementHandler = reading.opened
    parser.EndElementHandler = reading.closed
    parser.CharacterDataHandler = reading.text
    try:
        parser.Parse(data, True)  # noqa: FBT003 - expat's signature
    except expat.ExpatError as error:
        if error.code in _ENDS_EARLY:
            return None
        raise UnreadableScan("the XML side-car is not well-formed", {"line": error.lineno, "problem": error.code}) from error
    except (LookupError, ValueError) as error:
        raise UnreadableScan("the XML side-car announces an encoding that is not read") from error
    return reading.result()


class _Reading:
    """Collects the few elements we know while expat walks the document."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._text: list[str] = []
        self._is_deleted = False
        self._version = ""
        self._date = ""
        self._is_training = False
        self._is_empty = False
        self._identities: list[IdentityValue] = []
        self._resources: list[str] = []

    def doctype(self, *_: object) -> None:
        raise UnsupportedFormat("the XML side-car has a DOCTYPE")

    def opened(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if not self._path and name != "DataForm":
            raise UnsupportedFormat("the XML side-car is not a DataForm")
        if len(self._path) >= _MAX_DEPTH:
            raise UnreadableScan("the XML side-car is nested too deeply")
        self._path.append(name)
        self._text.clear()
        if name == "Resource":
            self._is_deleted = attributes.get("IsDeleted", "").lower() == "true"

    def text(self, text: str) -> None:
        self._text.append(text)

    def closed(self, tag: str) -> None:  # noqa: ARG002 - expat's signature
        text = "".join(self._text).strip()[:_MAX_TEXT]
        self._text.clear()
        parent = self._path[-2] if len(self._path) > 1 else ""
        name = self._path.pop()
        if parent == "DataForm":
            self._note_form(name, text)
        elif (parent, name) == ("ProcessInstructions", "IsContainerEmpty"):
            self._is_empty = text == "1"
        elif (parent, name) == ("Resources", "Resource"):
            self._note_resource(text)
        elif (parent, name) in _IDENTITIES and text:
            self._identities.append(IdentityValue(_IDENTITIES[parent, name], text))

    def result(self) -> DataForm:
        if not self._version.startswith(_VERSION):
            raise UnsupportedFormat("a DataForm of this version is not read", {"version": self._version[:16]})
        return DataForm(
            self._date,
            self._is_training,
            self._is_empty,
            tuple(dict.fromkeys(self._identities)),
            tuple(dict.fromkeys(self._resources)),
        )

    def _note_form(self, name: str, text: str) -> None:
        if name == "Version":
            self._version = text
        elif name == "Date":
            self._date = text
        elif name == "InTraining":
            self._is_training = text == "1"

    def _note_resource(self, text: str) -> None:
        if text and not self._is_deleted:
            self._resources.append(text)
