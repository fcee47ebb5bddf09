"""What intake needs from others. It never opens a member itself: a decode child does."""

from collections.abc import Sequence
from typing import Protocol

from edge_agent.domain.drop import ProbeResult
from edge_agent.domain.member import DropMember
from edge_agent.domain.profile import Profile


class Probe(Protocol):
    """Looks at a drop's headers. Blocks until it has an answer, at most the profile's deadline and a little."""

    def probe(self, members: Sequence[DropMember], profile: Profile) -> ProbeResult:
        """Give header facts and completeness.

        Raises:
            ScanRejected: the drop's bytes ended the decoder: :func:`edge_agent.intake.settle.refused` says what that means.
            TryLater: the folder is away, or no decoder runs now.
        """
