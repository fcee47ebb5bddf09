"""Is all well with this machine and this site? Everything a person would look at, one finding each, in plain words.

Nothing is changed and no daemon is needed; what only the daemon knows is in its health.
"""

import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from edge_agent.agent.check import find_problems, find_sandbox
from edge_agent.agent.config import AgentConfig, load_config
from edge_agent.agent.device_history import GIVEN_UP_FOR, DeviceHistory, is_given_up
from edge_agent.agent.models_in_force import commissioning_of
from edge_agent.agent.space import Level, disk_of, level_of
from edge_agent.domain.clock import Clock
from edge_agent.errors import DecoderUnavailable, EdgeAgentError
from edge_agent.inference.load import LoadedModels, load_models
from edge_agent.inference.session import CPU, DevicePolicy
from edge_agent.intake.mounts import kind_of, needs_polling, parse_mounts

_TIMEX_BYTES = 208
_CLOCK_UNSYNCHRONISED = 5
_BACK_BY = timedelta(minutes=1)
_MOUNTS = Path("/proc/self/mountinfo")


class Verdict(StrEnum):
    """What to make of a finding."""

    WELL = "ok"
    NOTE = "note"
    """Works, but somebody should know."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``hint``: what to do, empty when all is well."""

    topic: str
    verdict: Verdict
    words: str
    hint: str = ""


def examine(path: Path | None, clock: Clock) -> Iterator[Finding]:
    """Look at the machine, and at the site that the configuration at ``path`` describes; each finding as soon as it is known."""
    yield _clock()
    yield _sandbox()
    if path is None:
        yield Finding("config", Verdict.NOTE, "no configuration was named", "Give --config FILE to have the site looked at too.")
        return
    problems = find_problems(path, clock)
    yield from (Finding("config", Verdict.WRONG, f"{one.code}: {one.detail}", one.hint) for one in problems)
    try:
        config = load_config(path)
    except EdgeAgentError:
        return
    if not problems:
        yield Finding("config", Verdict.WELL, f"{path.name}, policy, profiles, keys and bundles are in order")
    yield from _site(config, clock)


def _site(config: AgentConfig, clock: Clock) -> Iterator[Finding]:
    yield from _device(config, clock.now())
    yield from _disk(config, clock.now())
    mounts = _MOUNTS.read_text()
    readable = [scanner.section for scanner in config.scanners if os.access(scanner.section.watch, os.R_OK | os.X_OK)]
    yield from (_share(section.id, section.watch, mounts) for section in readable)
    yield _consumers(config, clock.now())


def _clock() -> Finding:
    """Ask the kernel whether somebody keeps the clock right (adjtimex(2) with nothing to adjust)."""
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    if 0 <= state < _CLOCK_UNSYNCHRONISED:
        return Finding("clock", Verdict.WELL, "synchronised")
    return Finding("clock", Verdict.NOTE, "not known to be synchronised", "Set up NTP: facts carry the time of this clock.")


def _sandbox() -> Finding:
    try:
        report = find_sandbox()
    except DecoderUnavailable as problem:
        return Finding("decoders", Verdict.WRONG, problem.detail, problem.hint)
    if report.level == "full":
        return Finding("decoders", Verdict.WELL, "start, fenced in by Landlock and seccomp")
    hint = "A kernel with Landlock and seccomp gives full fences."
    return Finding("decoders", Verdict.NOTE, f"start, fences: {report.level} ({report.why})", hint)


def _device(config: AgentConfig, now: datetime) -> Iterator[Finding]:
    """Load the models where the daemon would, and say where that is."""
    asked = config.sections.device.policy
    errors = DeviceHistory(config.sections.state_dir).errors()
    if is_given_up(errors, now):
        until = (errors[-1].at + GIVEN_UP_FOR).strftime("%Y-%m-%d %H:%M")
        hint = "Mend it, then run `edge-agent doctor --retry-device` and restart."
        yield Finding("device", Verdict.WRONG, f"the GPU failed again and again, last with {errors[-1].code}; given up until {until}", hint)
    elif errors:
        yield Finding(
            "device", Verdict.NOTE, f"{len(errors)} device errors noted, last {errors[-1].code} at {errors[-1].at:%Y-%m-%d %H:%M}"
        )
    try:
        loaded = load_models(config.store.active(), asked, config.admission.trust, allow_research=config.sections.allow_research_models)
    except EdgeAgentError:
        return  # told among the problems of the configuration
    if asked is not DevicePolicy.CPU and loaded.placement.provider == CPU:
        hint = "Install the CUDA libraries and a driver, or set [device] policy to cpu."
        yield Finding("device", Verdict.NOTE, f"policy is {asked.value}, but models run on the CPU", hint)
    else:
        yield Finding("device", Verdict.WELL, f"models run with {loaded.placement.provider} on {loaded.placement.device}")
    yield from _bundles(config, loaded, now)


def _bundles(config: AgentConfig, loaded: LoadedModels, now: datetime) -> Iterator[Finding]:
    commissioning = commissioning_of(config, loaded.bundles)
    for bundle in loaded.bundles:
        state = commissioning.use(bundle.use, bundle.card.subjects, now).state.value
        verdict = Verdict.WELL if state == "commissioned" else Verdict.NOTE
        hint = "" if state == "commissioned" else "Advisory until commissioned at this site: `edge-agent commission --help`."
        yield Finding("bundle", verdict, f"{bundle.ref}: {state}", hint)
    for reason in commissioning.reasons(now):
        subject = reason.params.get("subject", "")
        yield Finding("bundle", Verdict.WRONG, f"{reason.code} {subject}".strip(), "Commission again with `edge-agent commission`.")


def _disk(config: AgentConfig, now: datetime) -> Iterator[Finding]:
    folder = config.sections.state_dir
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    disk = disk_of(nearest)
    words = f"{disk.free / 1e9:.1f} GB of {disk.total / 1e9:.1f} GB free ({disk.free / disk.total:.0%}) for {folder}"
    level = level_of(Level.AMPLE, disk.free, disk.total, config.sections.space)
    if disk.is_read_only:
        yield Finding("disk", Verdict.WRONG, f"{nearest} is mounted read-only", "Look at the disk's own log; a file system in error is.")
    elif level is Level.AMPLE:
        yield Finding("disk", Verdict.WELL, words)
    else:
        hint = "Make room or add a disk; docs/explanation/retention.md says what goes first."
        yield Finding("disk", Verdict.WRONG if level is Level.STOPPED else Verdict.NOTE, f"{level.code}: {words}", hint)
    ledger = folder / "ledger.db"
    if ledger.exists() and ledger.stat().st_mtime > (now + _BACK_BY).timestamp():
        hint = "Check date and time zone of this machine before the next scan."
        yield Finding("clock", Verdict.WRONG, "the ledger was written at a later time than it is now: the clock went back", hint)


def _share(scanner: str, watch: Path, mounts: str) -> Finding:
    """Say on what a scanner's folder lies, and how news of it come; one that cannot be read was told among the problems."""
    kind = kind_of(parse_mounts(mounts), str(watch.resolve()))
    how = "polled, for others write to it" if needs_polling(kind) else "watched by events"
    return Finding(f"scanner {scanner}", Verdict.WELL, f"{watch} can be read: {kind}, {how}")


def _consumers(config: AgentConfig, now: datetime) -> Finding:
    """Whose keys count; that a key has expired is a problem of the configuration and was told there."""
    soon = now + timedelta(days=30)
    ending = [one.name for one in config.sections.consumer if one.not_after is not None and now < one.not_after <= soon]
    if ending:
        return Finding("keys", Verdict.NOTE, f"expire within 30 days: {', '.join(ending)}", "Enrol new keys in time.")
    return Finding("keys", Verdict.WELL, f"{len(config.sections.consumer)} consoles and collectors enrolled")
