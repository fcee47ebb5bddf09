"""A package without personal data: what a person typed is dropped, tokens are replaced, pictures lose their metadata.

Kept are pixels, measurements, times and digests: whoever holds the site's records can still tell which scan it was, so what leaves is
pseudonymised, not secret. Text burnt into a scanner's picture cannot be found; choose a profile that prefers pictures without it.
"""

from collections.abc import Mapping, Sequence

from edge_agent.formats.jpeg_metadata import without_metadata
from edge_agent.formats.package_model import ConsignmentPart, DeclarationPart, ScanJson, SubjectPart
from edge_agent.formats.package_sources import ATTACHMENTS, SOURCES

_JPEG = (".jpg",)
_VERBATIM = (SOURCES, ATTACHMENTS)


def anonymised(document: ScanJson, *, keeps_tokens: bool) -> ScanJson:
    """Give the document without free text, route and risk flags, and without attachments that show people or numbers.

    Originals that are no plane themselves go too: what a scanner writes into their headers is not known.

    ``keeps_tokens``: identifiers stay as the site's tokens; else they become ``subject-1``, ``subject-2``, the same token the same
    word within this document, and nothing leads back to the site's identity table.
    """
    consignment = document.consignment
    planes = {image.entry for view in document.views for image in view.images}
    return document.model_copy(
        update={
            "capture": document.capture.model_copy(update={"as_written": ""}),
            "subject": _subject(document.subject, keeps_tokens=keeps_tokens),
            "declaration": _declaration(document.declaration, keeps_tokens=keeps_tokens),
            "consignment": ConsignmentPart(gross_kg=consignment.gross_kg, volume_m3=consignment.volume_m3),
            "attachments": tuple(one for one in document.attachments if not one.kind.is_personal),
            "sources": tuple(one if one.entry in planes else one.model_copy(update={"entry": None}) for one in document.sources),
        }
    )


def clean_entries(entries: Mapping[str, bytes], document: ScanJson) -> dict[str, bytes]:
    """Give the entries that the anonymised ``document`` still names, with their pictures' metadata removed; pixels are the same.

    Raises:
        UnreadableScan: a JPEG that cannot be followed.
    """
    stays = {name: data for name, data in entries.items() if name in document.verbatim or not name.startswith(_VERBATIM)}
    return {name: without_metadata(data) if name.endswith(_JPEG) else data for name, data in stays.items()}


def _subject(subject: SubjectPart, *, keeps_tokens: bool) -> SubjectPart:
    if keeps_tokens:
        return subject
    words = _words((*subject.equipment, *(reading.token for reading in subject.readings)))
    return subject.model_copy(
        update={
            "equipment": tuple(words[token] for token in subject.equipment),
            "readings": tuple(reading.model_copy(update={"token": words[reading.token]}) for reading in subject.readings),
            "related": (),
        }
    )


def _words(tokens: Sequence[str]) -> dict[str, str]:
    return {token: f"subject-{number}" for number, token in enumerate(dict.fromkeys(tokens), start=1)}


def _declaration(part: DeclarationPart | None, *, keeps_tokens: bool) -> DeclarationPart | None:
    if part is None:
        return None
    goods = tuple(line.model_copy(update={"description": ""}) for line in part.goods)
    return part.model_copy(update={"goods": goods, "id": part.id if keeps_tokens else None})
