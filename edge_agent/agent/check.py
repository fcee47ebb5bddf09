"""Everything that would stop the daemon from starting, or that it would start with and not be well, found without starting it.

The service runs this before each start, so what stops the start here must be no more than what the daemon cannot survive.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from edge_agent.agent.arrivals import Watching, watching_of
from edge_agent.agent.certificate import Certificate, Document, certificate_path, read_document
from edge_agent.agent.config import AgentConfig, load_config
from edge_agent.agent.declarations import open_source
from edge_agent.agent.models_in_force import COMMISSION
from edge_agent.agent.selection_lists import SelectionLists
from edge_agent.agent.weighing import WeighingCertificate, weighing_path
from edge_agent.domain.clock import Clock
from edge_agent.errors import BundleRejected, ConfigInvalid, EdgeAgentError
from edge_agent.formats.child import DecodeChild
from edge_agent.formats.sandbox import SandboxReport
from edge_agent.inference.bundle import find_bundles
from edge_agent.inference.load import load_models
from edge_agent.signing.keys import SigningKey
from edge_agent.transport.keys import load_secret


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: a stable code, what is wrong and where, what to do.

    ``stops``: whether the daemon cannot start with it; with the others it works and says so in its health.
    """

    code: str
    detail: str
    hint: str
    stops: bool = True


def find_problems(path: Path, clock: Clock) -> list[Problem]:
    """Give every problem that can be found by reading; a file that cannot be read hides what it would have named."""
    try:
        config = load_config(path)
    except EdgeAgentError as problem:
        return [Problem(problem.code, line, problem.hint) for line in problem.detail.splitlines()]
    needed: list[Callable[[], None]] = [lambda: _key(config), lambda: _journal_key(config), lambda: _state(config)]
    missed: list[Callable[[], None]] = [
        *(lambda watch=scanner.section.watch: _folder(watch) for scanner in config.scanners),
        *(lambda path=path, kind=kind: _certificate(path, kind, config) for path, kind in _certificates(config)),
        lambda: _results(config),
        lambda: _consumers(config, clock),
        lambda: _outbound(config),
        lambda: _declarations(config),
        lambda: _selections(config),
    ]
    return [*_raised(needed), *_of_models(config), *(replace(one, stops=False) for one in _raised(missed))]


def find_watching(path: Path) -> list[tuple[str, Watching]]:
    """Give each scanner with how its folder would be watched now; nothing when the configuration cannot be read."""
    try:
        config = load_config(path)
    except EdgeAgentError:  # find_problems says why
        return []
    return [(scanner.section.id, watching_of(scanner.section)) for scanner in config.scanners]


def find_sandbox() -> SandboxReport:
    """Give the fences that a decode child gets on this machine, for this user.

    Raises:
        DecoderUnavailable: no child starts.
    """
    with DecodeChild() as child:
        return child.sandbox()


def _raised(checks: list[Callable[[], None]]) -> Iterator[Problem]:
    for check in checks:
        try:
            check()
        except EdgeAgentError as problem:
            yield Problem(problem.code, problem.detail, problem.hint)


def _folder(watch: Path) -> None:
    if not watch.is_dir() or not os.access(watch, os.R_OK | os.X_OK):
        raise ConfigInvalid(f"scanner folder {watch} is not there or cannot be read")


def _key(config: AgentConfig) -> None:
    wire = config.sections.wire
    for key in (wire.key, wire.next_key):
        if key is not None and not wire.insecure_loopback_only:
            load_secret(key)


def _journal_key(config: AgentConfig) -> None:
    if config.sections.journal.key is not None:
        SigningKey.load(config.sections.journal.key)


def is_unsigned(path: Path) -> bool:
    """Say whether a readable configuration leaves the site's journal unsigned."""
    try:
        return load_config(path).sections.journal.key is None
    except EdgeAgentError:
        return False


def _of_models(config: AgentConfig) -> list[Problem]:
    """Give what is wrong with the active bundles; it does not stop a daemon that has others to fall back to."""
    try:
        active = config.store.active()
        folders = find_bundles(active)
    except BundleRejected as problem:
        found = [Problem(problem.code, problem.detail, problem.hint)]
    else:
        found = list(_raised([*(lambda folder=folder: _bundle(folder, config) for folder in folders), lambda: _models(active, config)]))
    stops = bool(found) and not any(_can_load(root, config) for root in config.store.fallbacks())
    return [replace(one, stops=stops) for one in dict.fromkeys(found)]


def _bundle(folder: Path, config: AgentConfig) -> None:
    config.admission.load(folder)


def _can_load(root: Path, config: AgentConfig) -> bool:
    return not list(_raised([lambda: _models(root, config)]))


def _models(root: Path, config: AgentConfig) -> None:
    sections = config.sections
    load_models(root, sections.device.policy, config.admission.trust, allow_research=sections.allow_research_models)


def _certificates(config: AgentConfig) -> Iterator[tuple[Path, type[Document]]]:
    """Give where this site's certificates lie when it has some."""
    folder = config.store.root / COMMISSION
    sections = [scanner.section for scanner in config.scanners]
    yield from ((certificate_path(folder, subject), Certificate) for subject in sorted({section.subject for section in sections}))
    yield from ((weighing_path(folder, section.id), WeighingCertificate) for section in sections)


def _certificate(path: Path, kind: type[Document], config: AgentConfig) -> None:
    read_document(path, kind, config.admission.trust, must_be_signed=config.sections.bundles.require_signed_certificates)


def _state(config: AgentConfig) -> None:
    """The state directory is made by the daemon; what is checked is that it can be, on one file system."""
    folder = config.sections.state_dir
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigInvalid(f"state_dir {folder} cannot be written")
    devices = {part.stat().st_dev for part in (folder, folder / "spool", folder / "packages", folder / "quarantine") if part.exists()}
    if len(devices) > 1:
        raise ConfigInvalid(f"spool, packages and quarantine under {folder} lie on different file systems; renames would not be atomic")


def _results(config: AgentConfig) -> None:
    """The folder for results is made by the daemon; what is checked is that it can be."""
    section = config.sections.results
    if section is None:
        return
    nearest = next(parent for parent in (section.dir, *section.dir.parents) if parent.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigInvalid(f"results.dir {section.dir} cannot be written")


def _outbound(config: AgentConfig) -> None:
    """Not a rule of the file itself: revoking headquarters must leave a file that the running daemon takes up."""
    outbound = config.sections.wire.outbound
    if outbound is not None and outbound.consumer not in {consumer.name for consumer in config.sections.consumer}:
        raise ConfigInvalid(f"wire.outbound.consumer: there is no [[consumer]] {outbound.consumer}")


def _consumers(config: AgentConfig, clock: Clock) -> None:
    expired = config.expired_consumers(clock.now())
    if expired:
        raise ConfigInvalid(f"[[consumer]] {', '.join(expired)}: not_after has passed; they are refused")


def _declarations(config: AgentConfig) -> None:
    section = config.sections.declarations
    if section is not None:
        problem = open_source(section.file, section.dir).look().problem
        if problem is not None:
            raise problem


def _selections(config: AgentConfig) -> None:
    section = config.sections.selections
    lists = SelectionLists(section.file, section.dir, timedelta(hours=section.due_after_h))
    lists.refresh()
    if lists.problem is not None:
        raise lists.problem
