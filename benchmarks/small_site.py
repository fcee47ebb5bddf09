"""A small site as real processes: daemon, console, collector, over CURVE, with a bundle whose outputs are known."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep

import numpy as np

from benchmarks.site import ROOT, Process, Scanner, Settings, Site
from edge_agent.domain.ids import Seq
from edge_agent.formats.encode import png_bytes
from edge_agent.ledger.reader import LedgerReader
from edge_agent.testing.bundles import TEST_KEY, write_detection_bundle
from edge_agent.wire import messages
from edge_agent.wire.chain import JournalRow

POLICY = ROOT / "config/policy.example.toml"
ANY_DISK = "warn_share = 1e-6\nsparing_share = 1e-6\nstop_share = 1e-6\nstop_mb = 1.0\nballast_mb = 1.0\n"
"""Section ``[space]`` of a site whose behaviour must not hang on how full this machine's disk is."""


_SCANNERS = (Scanner("s1", "plain-image", "cargo", "[5.0, 5.0]"), Scanner("pair", "sim-cargo"), Scanner("form", "smiths-dataform"))


class SmallSite:
    """A site with a scanner of plain pictures, one of TIFF pairs and one of JPEG with DataForm; helpers wait on facts, never on time."""

    def __init__(self, folder: Path, device: str = "cpu", space: str = ANY_DISK, more: Sequence[Scanner] = ()) -> None:
        """``more``: further scanners, of shipped profiles."""
        folder.mkdir(parents=True, exist_ok=True)
        write_detection_bundle(folder / "bundles")
        policy = folder / "policy.toml"
        policy.write_text(POLICY.read_text().replace('required = ["detection", "contents"]', 'required = ["detection"]'))
        profiles = folder / "scanners-toml"
        profiles.mkdir()
        scanners = (*_SCANNERS, *more)
        for scanner in scanners:
            _quick_profile(POLICY.parent / f"scanners/{scanner.profile}.toml", profiles)
        trusted = (TEST_KEY.public.text,)
        settings = Settings(scanners, folder / "bundles", policy, device, profiles=profiles, trusted=trusted)
        self.site = Site.prepared(folder, settings)
        self.site.agent_toml.write_text(f"{self.site.agent_toml.read_text()}\n[space]\n{space}")
        self.starts = 0
        self.watched = self.site.watched("s1")

    def deliver(self, name: str, content: bytes, scanner: str = "s1") -> None:
        """Write a file as a careful scanner does: another name first, then a rename."""
        self.deliver_together({name: content}, scanner)

    def deliver_together(self, files: Mapping[str, bytes], scanner: str = "s1") -> None:
        """Write the files of a scan; however long that takes, they get their names one right after the other."""
        watched = self.site.watched(scanner)
        for name, content in files.items():
            (watched / f"{name}.part").write_bytes(content)
        for name in files:
            (watched / f"{name}.part").rename(watched / name)

    def scan(self, number: int) -> bytes:
        """Give a small picture, different for each number, with one bright cell."""
        pixels = np.full((64, 80), number % 1000, dtype=np.uint16)
        pixels[0, 0] = number
        pixels[16:24, 24:32] = 65535
        return png_bytes(pixels)

    def rows(self) -> list[JournalRow]:
        """Give the whole journal, empty before there is one."""
        path = self.site.state_dir / "ledger.db"
        if not path.exists():
            return []
        reader = LedgerReader.open(path)
        try:
            rows: list[JournalRow] = []
            while page := reader.rows(Seq(len(rows)), 500, 1 << 24):
                rows += page
            return rows
        finally:
            reader.close()

    def bodies(self, *kinds: str) -> list[messages.AnyBody]:
        """Give the journal's bodies of some kinds."""
        return [body for body in (messages.decode(row.body) for row in self.rows()) if body.kind in kinds]

    def packed(self) -> int:
        """Give how many packages the daemon answers for: a file has its name a moment before that."""
        with closing(LedgerReader.open(self.site.state_dir / "ledger.db")) as reader:
            return len(reader.packed())

    def wait_for(self, condition: Callable[[], bool], process: Process, timeout_s: float = 120.0) -> None:
        """Wait until ``condition`` holds; fail when it does not in time or the process ends."""
        until = monotonic() + timeout_s
        while not condition():
            process.fail_if_ended()
            if monotonic() > until:
                raise TimeoutError(f"not within {timeout_s} s; log of {process.name}:\n{process.log.read_text()[-3000:]}")
            sleep(0.05)

    def ready(self, daemon: Process) -> None:
        """Wait until the daemon has said READY since it was started."""
        started = self.starts
        self.starts += 1
        self.wait_for(lambda: sum(line.get("event") == "agent_started" for line in daemon.json_lines()) > started, daemon)


def _quick_profile(shipped: Path, folder: Path) -> None:
    """Write a shipped profile with short waits; between the files of one scan a busy machine may hold us up for a while."""
    text = re.sub(r"quiet_s = [0-9.]+", "quiet_s = 0.1", shipped.read_text())
    text = re.sub(r"unknown_after_s = [0-9.]+", "unknown_after_s = 1.0", text)
    text = re.sub(r"deadline_s = [0-9.]+", "deadline_s = 6.0", text)
    (folder / shipped.name).write_text(text)
