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


def self_test_passed(golden_cases: int) -> None:
    """The golden cases came out again while the daemon works."""
    structlog.get_logger().info("self_test_passed", golden_cases=golden_cases)


def self_test_failed(code: str, detail: str) -> None:
    """A golden case does not come out any more; scans in hand are given up, and the process ends."""
    structlog.get_logger().error("self_test_failed", code=code, detail=detail)


def device_error_unnoted(code: str, errno: int) -> None:
    """A device error could not be written down, so the next start does not count it."""
    structlog.get_logger().error("device_error_unnoted", code=code, errno=errno)


def lanes_stuck(lanes: Sequence[str]) -> None:
    """Work on these lanes takes longer than stuck_after_s, so the service manager is no longer told that all is well."""
    structlog.get_logger().error("lanes_stuck", lanes=list(lanes))


def work_recovered(suspects: int) -> None:
    """The last process died with work in hand; it is taken up again, first and alone."""
    structlog.get_logger().warning("work_recovered", suspects=suspects)


def quarantined_files_missing(scan_id: str, revision: int) -> None:
    """A scan is set aside, but its files are in neither place any more, as after the restore of an older ledger."""
    structlog.get_logger().warning("quarantined_files_missing", scan_id=scan_id, revision=revision)


def ledger_opened(seconds: float, is_checked: bool) -> None:  # noqa: FBT001 - a field of the line
    """The ledger was opened; ``is_checked`` is false when it is so large that reading every page was left to the weekly check."""
    structlog.get_logger().info("ledger_opened", seconds=round(seconds, 3), is_checked=is_checked)


def ledger_checked(seconds: float, heads: int, signed_seq: int) -> None:
    """All of the ledger was checked and found sound, and what the site signed fits it."""
    structlog.get_logger().info("ledger_checked", seconds=round(seconds, 1), heads=heads, signed_seq=signed_seq)


def ledger_check_failed(why: str, seq: int) -> None:
    """The weekly check found a fault: stop the agent, keep the file, restore the last backup. ``seq``: first row that does not fit."""
    structlog.get_logger().error("ledger_check_failed", why=why, seq=seq)


def ledger_upkeep_postponed(code: str) -> None:
    """The ledger's upkeep could not be done now; it is tried again."""
    structlog.get_logger().warning("ledger_upkeep_postponed", code=code)


def journal_unsigned() -> None:
    """No [journal] key is configured: nobody can prove later what this site's journal said."""
    structlog.get_logger().warning("journal_unsigned")


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


def scan_referred(scan_id: str, revision: int) -> None:
    """The decision clock ran out before an officer decided: the scan was referred."""
    structlog.get_logger().warning("scan_referred", scan_id=scan_id, revision=revision)


def scan_released(scanner: str, scan_id: str, code: str) -> None:
    """Nothing is wrong with the scan; it is tried again later."""
    structlog.get_logger().warning("scan_released", scanner=scanner, scan_id=scan_id, code=code)


def package_postponed(scanner: str, scan_id: str, code: str) -> None:
    """The package of an assessed scan could not be written; its spool copy stays until the next start tries again."""
    structlog.get_logger().warning("package_postponed", scanner=scanner, scan_id=scan_id, code=code)


def shadow_passed_over(scanner: str, scan_id: str) -> None:
    """The bundle in shadow had no time or no memory for this scan, or the disk was full; it is missing in the comparison alone."""
    structlog.get_logger().info("shadow_passed_over", scanner=scanner, scan_id=scan_id)


def shadow_failed(code: str, scan_id: str | None, problem: BaseException) -> None:
    """The bundle in shadow failed, at the start or on this scan, and looks at no scan any more until a restart; all else goes on."""
    structlog.get_logger().warning("shadow_failed", code=code, scan_id=scan_id, exc_info=problem)


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


def folder_watched(scanner: str, by: str, file_system: str) -> None:
    """How the scanner's folder is watched: by the system's events, or by looking regularly (network shares)."""
    structlog.get_logger().info("folder_watched", scanner=scanner, by=by, file_system=file_system)


def backlog_found(scanner: str, count: int) -> None:
    """So many drops lie in the scanner's folder and are not accepted yet; they are taken in turn with what comes now."""
    structlog.get_logger().info("backlog_found", scanner=scanner, count=count)


def backlog_taken(scanner: str) -> None:
    """The backlog in the scanner's folder is accepted."""
    structlog.get_logger().info("backlog_taken", scanner=scanner)


def drop_overdue(scanner: str, count: int) -> None:
    """Drops are still written to, or cannot be read, five minutes after all of them should have been there; they are tried on."""
    structlog.get_logger().warning("drop_overdue", scanner=scanner, count=count)


def selections_taken_in(count: int) -> None:
    """So many lines of the lists of selected consignments were read; those that are new are awaited from now on."""
    structlog.get_logger().info("selections_taken_in", count=count)


def selections_postponed(code: str) -> None:
    """Selections cannot be compared with the accepted scans now; the next look tries again."""
    structlog.get_logger().warning("selections_postponed", code=code)


def orphans_removed(count: int) -> None:
    """Copies in the spool that a crash had left a week ago and that no accepted scan names were removed."""
    structlog.get_logger().warning("orphans_removed", count=count)


def drop_vanished(scanner: str, count: int) -> None:
    """Drops left the scanner's folder before they were complete."""
    structlog.get_logger().warning("drop_vanished", scanner=scanner, count=count)


def health_changed(state: str, codes: Sequence[str]) -> None:
    """The site's health is another than before."""
    structlog.get_logger().warning("health_changed", state=state, codes=list(codes))


def space_changed(space: str, free_bytes: int) -> None:
    """The disk is shorter of space than before, or has more again: ample, low, sparing (no new pictures and packages) or stopped."""
    structlog.get_logger().warning("space_changed", space=space, free_bytes=free_bytes)


def ballast_given_up() -> None:
    """The file that keeps space for an emergency was removed; it is made again when there is room."""
    structlog.get_logger().warning("ballast_given_up")


def things_evicted(counts: Mapping[str, int]) -> None:
    """Retention took things away: how many of each kind, about how many bytes, rows of the journal, identifiers."""
    structlog.get_logger().info("things_evicted", counts=dict(counts))


def housekeeping_postponed(code: str) -> None:
    """House-keeping could not be finished now; it goes on later, and nothing is lost by that."""
    structlog.get_logger().warning("housekeeping_postponed", code=code)


def hold_changed(scan_id: str, what: str) -> None:
    """A legal hold was placed on a scan (hold-placed) or released (hold-released)."""
    structlog.get_logger().info("hold_changed", scan_id=scan_id, what=what)


def peer_refused(code: str, peer: str, count: int = 1) -> None:
    """A peer was refused; ``peer`` is its enrolled name, or ``stranger``: these are counted and told once a minute."""
    structlog.get_logger().warning("peer_refused", code=code, peer=peer, count=count)


def allow_list_reloaded(consumers: int, added: int, removed: int, changed: int) -> None:
    """Other keys are enrolled than before; the new allow-list is in force."""
    structlog.get_logger().warning("allow_list_reloaded", consumers=consumers, added=added, removed=removed, changed=changed)


def allow_list_refused(problem: EdgeAgentError) -> None:
    """The configuration file is wrong now; the allow-list of before stays in force until it is mended."""
    structlog.get_logger().error("allow_list_refused", code=problem.code, detail=problem.detail, hint=problem.hint)


def allow_list_untold(why: str) -> None:
    """The state directory does not take the file that says which allow-list is in force; it is in force all the same."""
    structlog.get_logger().warning("allow_list_untold", why=why)


def configuration_waits(keys: Sequence[str]) -> None:
    """The configuration file was changed in more than its allow-list; these keys wait for a restart."""
    structlog.get_logger().warning("configuration_waits", keys=list(keys))


def picture_damaged(sha256: str) -> None:
    """A stored picture, or the package of this digest, was altered on the disk; it is not shown."""
    structlog.get_logger().error("picture_damaged", sha256=sha256)


def site_alarm_began(site: str, code: str, detail: str) -> None:
    """Headquarters: something about a site needs a look. ``code`` as in ``edge-agent sites``."""
    structlog.get_logger().warning("site_alarm_began", site=site, code=code, detail=detail)


def site_alarm_ended(site: str, code: str, seconds: float) -> None:
    """Headquarters: it is over, after so many seconds."""
    structlog.get_logger().info("site_alarm_ended", site=site, code=code, seconds=round(seconds, 1))


def states_postponed(errno: int) -> None:
    """Headquarters: the file that tells how the sites stand cannot be written now; rows are collected all the same."""
    structlog.get_logger().error("states_postponed", errno=errno)


def agent_failed(problem: EdgeAgentError) -> None:
    """The process ends because of ``problem``; the hint says what to do."""
    structlog.get_logger().error("agent_failed", code=problem.code, detail=problem.detail, hint=problem.hint)


def request_failed(verb: str, problem: BaseException) -> None:
    """A request met an error of ours; the peer was told ``internal``."""
    structlog.get_logger().error("request_failed", verb=verb, exc_info=problem)


def web_started(url: str, login: str) -> None:
    """The web server takes requests. ``login``: how officers log in."""
    structlog.get_logger().info("web_started", url=url, login=login)


def web_answered(route: str, status: int, code: str, ms: float) -> None:
    """A request that changed something, or was refused (``code``). ``route`` is the pattern of the address, never the address itself."""
    structlog.get_logger().info("web_answered", route=route, status=status, code=code, ms=round(ms, 1))


def logged_in(role_count: int, sessions: int) -> None:
    """An officer logged in; who it was stands in the site's journal only."""
    structlog.get_logger().info("logged_in", role_count=role_count, sessions=sessions)


def login_refused(code: str) -> None:
    """A login was refused: wrong (``login-refused``) or too often (``too-soon``)."""
    structlog.get_logger().warning("login_refused", code=code)


def users_unreadable(code: str) -> None:
    """The user file was replaced by one that cannot be used; the officers of before stay in force until it is mended."""
    structlog.get_logger().error("users_unreadable", code=code)


def tokens_unreadable(code: str) -> None:
    """The token file was replaced by one that cannot be used; no token is good until it is mended."""
    structlog.get_logger().error("tokens_unreadable", code=code)


def console_link(site: str, phase: str) -> None:
    """The console's link to a site changed: ``live`` means that what officers see is what the site knows."""
    structlog.get_logger().info("console_link", site=site, phase=phase)


def console_question_failed(site: str, code: str) -> None:
    """A site did not answer something a page needs; it is asked again when it is needed again."""
    structlog.get_logger().warning("console_question_failed", site=site, code=code)


def console_view_lost(scan_id: str) -> None:
    """So many views wait for a silent site's journal that the oldest was given up: the journal will not know of it."""
    structlog.get_logger().error("console_view_lost", scan_id=scan_id)


def console_view_unkept(errno: int) -> None:
    """A view could not be put on the console's disk: if the console dies before the site has it, the journal will not know of it."""
    structlog.get_logger().error("console_view_unkept", errno=errno)


def console_fact_broken(site: str, seq: int, error: BaseException) -> None:
    """A fact of a site could not be taken into the queue, which is a fault of ours; the others of the site are."""
    structlog.get_logger().error("console_fact_broken", site=site, seq=seq, exc_info=error)


def console_file_left(errno: int) -> None:
    """What a site has answered could not be deleted from the console's outbox; the next start sends it again, which is a no-op there."""
    structlog.get_logger().error("console_file_left", errno=errno)


def request_refused(route: str, problem: EdgeAgentError) -> None:
    """A request over HTTP could not be done for a reason of the server's own; the asker was told the code only."""
    structlog.get_logger().error("request_refused", route=route, code=problem.code, detail=problem.detail)
