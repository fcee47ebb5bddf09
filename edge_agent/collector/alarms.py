"""What somebody at headquarters must look at, decided from what is known of a site. Pure: no clock, no file, no socket."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge_agent.collector.config import ExpectedTable, WatchTable
from edge_agent.collector.states import AlarmCode, Phase, SiteNow
from edge_agent.domain.usual import most


@dataclass(frozen=True, slots=True)
class Usual:
    """What should be in force at a site; None where nobody can say. ``policy``: the SHA-256 or its beginning; ``bundles``: sorted."""

    policy: str | None = None
    bundles: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Durations:
    """Seconds since a site was heard, and since its newest unsigned row came (0 where every row is signed or need not be)."""

    silent_s: float
    unsigned_s: float


def usual(sites: Iterable[SiteNow], expected: ExpectedTable) -> dict[str, Usual]:
    """Give for each group what is expected of its sites: what the configuration says, else what most of them have."""
    groups: dict[str, list[SiteNow]] = {}
    for site in sites:
        groups.setdefault(site.group, []).append(site)
    given = None if expected.bundles is None else tuple(sorted(expected.bundles))
    return {
        group: Usual(
            expected.policy or most(site.policy_digest for site in members if site.policy_digest),
            given if given is not None else most(site.bundles for site in members if site.daemon),
        )
        for group, members in groups.items()
    }


def alarms_of(site: SiteNow, durations: Durations, usual_here: Usual, watch: WatchTable) -> dict[AlarmCode, str]:
    """Give what is wrong at a site, each with a sentence that holds the figures."""
    found = {**_of_link(site, durations, watch), **_of_site(site, durations, watch), **_of_drift(site, usual_here)}
    return {code: found[code] for code in AlarmCode if code in found} if found else {}


def _of_link(site: SiteNow, durations: Durations, watch: WatchTable) -> Mapping[AlarmCode, str]:
    if site.phase is Phase.DIVERGED:
        return {AlarmCode.DIVERGED: site.detail}
    if durations.silent_s > watch.silent_after_s:
        return {AlarmCode.SILENT: f"not heard for {durations.silent_s:.0f} s"}
    if site.phase is Phase.REFUSED:
        return {AlarmCode.REFUSED: f"{site.code}: {site.detail}"}
    if site.phase is Phase.HELD_UP:
        return {AlarmCode.HELD_UP: f"{site.code}: {site.detail}"}
    return {}


def _of_site(site: SiteNow, durations: Durations, watch: WatchTable) -> Mapping[AlarmCode, str]:
    found = {}
    if durations.unsigned_s > watch.heads_after_s:
        found[AlarmCode.HEADS_STOPPED] = f"no signed head for {durations.unsigned_s:.0f} s; signed up to {site.signed} of {site.durable}"
    if site.health == "failing":
        found[AlarmCode.FAILING] = ", ".join(site.health_reasons)
    if site.clock_skew_s is not None and abs(site.clock_skew_s) > watch.skew_s:
        found[AlarmCode.CLOCK_SKEW] = f"its clock is {abs(site.clock_skew_s):.1f} s {'ahead' if site.clock_skew_s > 0 else 'behind'}"
    return found


def _of_drift(site: SiteNow, usual_here: Usual) -> Mapping[AlarmCode, str]:
    found = {}
    if usual_here.policy is not None and site.policy_digest and not site.policy_digest.startswith(usual_here.policy):
        found[AlarmCode.POLICY_DRIFTED] = f"policy {site.policy_digest[:12]}, expected {usual_here.policy[:12]}"
    if usual_here.bundles is not None and site.daemon and site.bundles != usual_here.bundles:
        found[AlarmCode.BUNDLES_DRIFTED] = f"{_listed(site.bundles)}, expected {_listed(usual_here.bundles)}"
    return found


def _listed(bundles: tuple[str, ...]) -> str:
    return " ".join(bundles) or "no bundle"
