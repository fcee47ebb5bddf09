"""Everything the agent tells its administrator: one function an event, noun and past tense.

No personal data: codes, counts, scanner ids and scan ids only; never file names, which carry container numbers at many sites.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import structlog

from edge_agent.errors import EdgeAgentError


def agent_started(version: str, site: str, provider: str, bundles: Sequence[str], golden_cases: int) -> None:
    """The daemon is ready: models proven, sockets bound."""
    structlog.get_logger().info(
        "agent_started", version=version, site=site, provider=provider, bundles=list(bundles), golden_cases=golden_cases
    )


def agent_stopped(reason: str, in_flight: int) -> None:
    """The daemon leaves; what was in flight is resumed at the next start."""
    structlog.get_logger().info("agent_stopped", reason=reason, in_flight=in_flight)


def work_recovered(suspects: int) -> None:
    """The last process died with work in hand; it is taken up again, first and alone."""
    structlog.get_logger().warning("work_recovered", suspects=suspects)


def scan_accepted(scanner: str, scan_id: str, revision: int, what: str, spool_ms: float) -> None:
    """A drop was copied to the spool and registered; from here we answer for it. ``what``: the decision on its identity."""
    line = structlog.get_logger().bind(scanner=scanner, scan_id=scan_id, revision=revision)
    line.info("scan_accepted", what=what, spool_ms=round(spool_ms, 1))


@dataclass(frozen=True, slots=True)
class AssessedLine:
    """What the canonical line of a scan says. ``codes``: reasons and obstacles."""

    scanner: str
    scan_id: str
    revision: int
    conclusion: str
    codes: Sequence[str]
    seq: int
    timings_ms: Mapping[str, float]


def scan_assessed(line: AssessedLine) -> None:
    """The canonical line of a scan: outcome, reasons and obstacles by code, and where the time went."""
    fields = asdict(line)
    fields["timings_ms"] = {stage: round(value, 2) for stage, value in line.timings_ms.items()}
    structlog.get_logger().bind(**fields).info("scan_assessed")


def declarations_amended(scans: int) -> None:
    """The customs system's declarations changed for scans accepted lately; they are concluded again."""
    structlog.get_logger().info("declarations_amended", scans=scans)


def scan_set_aside(scanner: str, scan_id: str, revision: int, code: str, seq: int) -> None:
    """A scan cannot be assessed as it is; its spool copy lies in quarantine."""
    structlog.get_logger().warning("scan_set_aside", scanner=scanner, scan_id=scan_id, revision=revision, code=code, seq=seq)


def scan_released(scanner: str, scan_id: str, code: str) -> None:
    """Nothing is wrong with the scan; it is tried again later."""
    structlog.get_logger().warning("scan_released", scanner=scanner, scan_id=scan_id, code=code)


def package_postponed(scanner: str, scan_id: str, code: str) -> None:
    """The package of an assessed scan could not be written; its spool copy stays until the next start tries again."""
    structlog.get_logger().warning("package_postponed", scanner=scanner, scan_id=scan_id, code=code)


def shadow_passed_over(scanner: str, scan_id: str) -> None:
    """The bundle in shadow was busy with another scan, or the disk was full; this one is missing in the comparison, and nowhere else."""
    structlog.get_logger().info("shadow_passed_over", scanner=scanner, scan_id=scan_id)


def declarations_postponed(code: str) -> None:
    """Changed declarations cannot be taken in now; the next look tries again."""
    structlog.get_logger().warning("declarations_postponed", code=code)


def results_postponed(code: str) -> None:
    """Assessments cannot be written back now; nothing is lost, they follow from the journal when the folder can be written again."""
    structlog.get_logger().warning("results_postponed", code=code)


def folder_lost(scanner: str, code: str) -> None:
    """The scanner's folder cannot be read now."""
    structlog.get_logger().warning("folder_lost", scanner=scanner, code=code)


def folder_found(scanner: str) -> None:
    """The scanner's folder can be read again."""
    structlog.get_logger().info("folder_found", scanner=scanner)


def drop_vanished(scanner: str, count: int) -> None:
    """Drops left the scanner's folder before they were complete."""
    structlog.get_logger().warning("drop_vanished", scanner=scanner, count=count)


def health_changed(state: str, codes: Sequence[str]) -> None:
    """The site's health is another than before."""
    structlog.get_logger().warning("health_changed", state=state, codes=list(codes))


def peer_refused(code: str, peer: str) -> None:
    """A peer was refused; ``peer`` is its enrolled name, or ``stranger``."""
    structlog.get_logger().warning("peer_refused", code=code, peer=peer)


def agent_failed(problem: EdgeAgentError) -> None:
    """The process ends because of ``problem``; the hint says what to do."""
    structlog.get_logger().error("agent_failed", code=problem.code, detail=problem.detail, hint=problem.hint)


def request_failed(verb: str, problem: BaseException) -> None:
    """A request met an error of ours; the peer was told ``internal``."""
    structlog.get_logger().error("request_failed", verb=verb, exc_info=problem)
