"""Reading ``agent.toml`` and what it names: strict, every problem named at once, read in one place.

Paths may be written relative to the configuration file; they are absolute from here on.
"""

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge_agent.agent.scanner import Scanner, ScannerSection
from edge_agent.agent.sections import AgentSections
from edge_agent.analysis.policy import Policy, parse_policy
from edge_agent.domain.profile import Profile
from edge_agent.errors import ConfigInvalid, ConfigUnreadable
from edge_agent.formats.profiles import load_profile
from edge_agent.inference.installed import installed_bundles, release_key
from edge_agent.inference.session import DevicePolicy
from edge_agent.inference.store import Admission, BundleStore
from edge_agent.signing.detached import Trust
from edge_agent.signing.keys import VerifyKey


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """Everything read from disk before the daemon starts. ``digest``: SHA-256 of the bytes of ``agent.toml``.

    ``admission``: what a bundle must pass to run here; ``store``: which bundles are in force.
    """

    path: Path
    sections: AgentSections
    digest: str
    policy: Policy
    scanners: tuple[Scanner, ...]
    admission: Admission
    store: BundleStore

    def on(self, device: DevicePolicy) -> "AgentConfig":
        """Give the same configuration under another policy for the device, for a start without a device that failed too often."""
        section = self.sections.device.model_copy(update={"policy": device})
        return replace(self, sections=self.sections.model_copy(update={"device": section}))

    def expired_consumers(self, now: datetime) -> list[str]:
        """Give the names whose ``not_after`` has passed."""
        return [consumer.name for consumer in self.sections.allow_list().consumers if consumer.has_expired(now)]


@dataclass(frozen=True, slots=True)
class WrittenConfig:
    """``agent.toml`` alone, as it is written now. ``digest``: SHA-256 of its bytes."""

    sections: AgentSections
    digest: str


def parse_config(path: Path, raw: bytes) -> WrittenConfig:
    """Read the bytes of ``agent.toml``; ``path``: where they lie, or will.

    Raises:
        ConfigUnreadable, ConfigInvalid: naming file and key.
    """
    return WrittenConfig(_parse(path, raw), hashlib.sha256(raw).hexdigest())


def load_config(path: Path) -> AgentConfig:
    """Read ``agent.toml``, the policy and the profiles it names.

    Raises:
        ConfigUnreadable, ConfigInvalid, PolicyInvalid: naming file and key. SigningKeyUnusable: the release key is not installed.
    """
    written = parse_config(path, read_file(path))
    sections = written.sections
    policy = parse_policy(read_file(sections.policy))
    scanners = tuple(
        Scanner(section, _profile(sections, section), section.deadline_s or sections.scan_deadline_s) for section in sections.scanner
    )
    store = BundleStore(sections.state_dir / "bundles", sections.bundles.dir or installed_bundles())
    return AgentConfig(path, sections, written.digest, policy, scanners, _admission(sections), store)


def _admission(sections: AgentSections) -> Admission:
    keys = [VerifyKey.parse(text) for text in sections.bundles.trusted]
    if sections.bundles.trust_release_key:
        keys.append(release_key())
    return Admission(Trust.of(keys), sections.allow_research_models)


def _profile(sections: AgentSections, section: ScannerSection) -> Profile:
    """Read a scanner's profile; where its times carry no zone, the one configured for this very scanner counts."""
    return replace(load_profile(sections.profiles / f"{section.profile}.toml"), clock=section.timezone)


def read_file(path: Path) -> bytes:
    """Read a small file.

    Raises:
        ConfigUnreadable: naming the file.
    """
    try:
        return path.read_bytes()
    except OSError as problem:
        raise ConfigUnreadable(f"{path}: {problem.strerror}") from problem


def _parse(path: Path, raw: bytes) -> AgentSections:
    try:
        content = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigUnreadable(f"{path}: not TOML: {problem}") from problem
    try:
        return AgentSections.model_validate(_absolute(content, path.resolve().parent))
    except ValidationError as problem:
        lines = [f"{path}: {'.'.join(str(part) for part in error['loc']) or 'file'}: {error['msg']}" for error in problem.errors()]
        raise ConfigInvalid("\n".join(lines)) from problem


_PATHS: Sequence[tuple[str, ...]] = (
    ("state_dir",),
    ("policy",),
    ("bundles", "dir"),
    ("profiles",),
    ("wire", "key"),
    ("wire", "next_key"),
    ("declarations", "file"),
    ("declarations", "dir"),
    ("selections", "file"),
    ("selections", "dir"),
    ("results", "dir"),
    ("journal", "key"),
)


def _absolute(content: dict[str, Any], base: Path) -> dict[str, Any]:
    """Give the content with every path made absolute, relative to the file's own folder."""
    content = {"policy": "policy.toml", "profiles": "scanners", **content}
    for keys in _PATHS:
        table = content
        for key in keys[:-1]:
            table = table[key] if isinstance(table.get(key), dict) else {}
        if isinstance(table.get(keys[-1]), str):
            table[keys[-1]] = base / table[keys[-1]]
    for scanner in content.get("scanner", []) if isinstance(content.get("scanner"), list) else []:
        if isinstance(scanner, dict) and isinstance(scanner.get("watch"), str):
            scanner["watch"] = base / scanner["watch"]
    return content
