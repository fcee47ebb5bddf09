"""A configured scanner: its section ``[[scanner]]`` of ``agent.toml``, and the same with its profile read."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_agent.agent.section import Seconds, Section
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.profile import Profile
from edge_agent.telemetry.zone import Zone
from edge_agent.wire.frames import Name


class ScannerSection(Section):
    """One scanner: its profile, the folder it writes to (read-only to us), what passes through it.

    ``priority``: higher is served first. ``deadline_s``: how long a scan may be worked on, absent = ``scan_deadline_s``.
    ``pitch_mm``: millimetres a pixel (x, y), or ``from-container`` to fit the container box; without it the side-car's own value counts.
    ``watch_by``: ``auto`` polls folders on file systems that other machines may write to.
    """

    id: Name
    profile: str
    watch: Path
    timezone: Zone
    subject: SubjectKind
    priority: int = 0
    watch_by: Literal["auto", "events", "polling"] = "auto"
    deadline_s: Seconds | None = None
    pitch_mm: tuple[Seconds, Seconds] | Literal["from-container"] | None = None


@dataclass(frozen=True, slots=True)
class Scanner:
    """A configured scanner with its profile read. ``deadline_s``: how long the daemon may work on one of its scans."""

    section: ScannerSection
    profile: Profile
    deadline_s: float = math.inf
