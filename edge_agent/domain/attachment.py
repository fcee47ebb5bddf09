"""What comes with a scan and is no plane: optical pictures, radiation channels, the vendor's closed files. Kept as it came."""

from dataclasses import dataclass
from enum import StrEnum


class AttachmentKind(StrEnum):
    """What an attachment shows or holds."""

    OPTICAL = "optical"
    OCR = "ocr"
    STAMP = "stamp"
    RADIATION = "radiation"
    PREVIEW = "preview"
    VENDOR = "vendor"
    """A closed format of the vendor's."""

    @property
    def is_personal(self) -> bool:
        """Say whether people, plates or numbers may be read in it: then it lies where an erasure reaches it, and in no package."""
        return self in (AttachmentKind.OPTICAL, AttachmentKind.OCR, AttachmentKind.STAMP, AttachmentKind.VENDOR)


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attached file by its content's SHA-256 (hex); it is never decoded. ``media_type``: what its first bytes say it is."""

    kind: AttachmentKind
    role: str
    sha256: str
    size: int
    media_type: str
