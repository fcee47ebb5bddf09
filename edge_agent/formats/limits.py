"""Whether a file may be decoded at all: its size, and what its header announces, against the profile's limits."""

from edge_agent.domain.profile import Limits
from edge_agent.errors import LimitExceeded
from edge_agent.formats.codec import Header


def admit_size(size: int, limits: Limits) -> None:
    """Check a member's size in bytes.

    Raises:
        LimitExceeded: larger than the profile allows.
    """
    if size > limits.max_file_bytes:
        raise LimitExceeded("a member has more bytes than allowed", {"bytes": size, "allowed": limits.max_file_bytes})


def admit_header(header: Header, limits: Limits) -> None:
    """Check the pixels that a header announces, before any of them is decoded.

    Raises:
        LimitExceeded: more than the profile allows.
    """
    pixels = header.width * header.height
    if pixels > limits.max_pixels:
        raise LimitExceeded("a header announces more pixels than allowed", {"pixels": pixels, "allowed": limits.max_pixels})
    admit_planes(header.planes, limits)


def admit_planes(count: int, limits: Limits) -> None:
    """Check the number of planes of a scan.

    Raises:
        LimitExceeded: more than the profile allows.
    """
    if count > limits.max_planes:
        raise LimitExceeded("a scan has more planes than allowed", {"planes": count, "allowed": limits.max_planes})
