"""A decode child with two sore spots: it crashes on one mark in a picture's last pixel and hangs on another.

Everything else, sandbox and alarm included, is the real child (``edge_agent.formats.child_main``): a defect of a native library that one
file in a thousand hits.
"""

import os
import resource
from collections.abc import Sequence

from edge_agent.domain.profile import Profile
from edge_agent.formats import child_main
from edge_agent.formats.assemble import decode_scan
from edge_agent.formats.members import Decoded, OpenMember

CRASHES, HANGS = 57005, 48879
"""Values of the last pixel (uint16)."""


def main(arguments: Sequence[str]) -> int:
    """Serve like the real child."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    child_main.decode_scan = _decode
    return child_main.main(arguments)


def _decode(members: Sequence[OpenMember], profile: Profile) -> Decoded:
    decoded = decode_scan(members, profile)
    marks = {int(plane.pixels.flat[-1]) for view in decoded.views for plane in view.planes}
    if CRASHES in marks:
        os.abort()
    while HANGS in marks:
        pass
    return decoded
