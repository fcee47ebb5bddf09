"""What ``edge-agent check`` lets the service start with, the daemon works with; it says so in its health."""

from pathlib import Path

import pytest

from benchmarks.site import exit_code_of, running
from benchmarks.small_site import SmallSite
from edge_agent.wire.messages import HealthBody

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

NAMED = {
    "folder-lost",
    "consumer-expired",
    "declarations-unreadable",
    "selections-unreadable",
    "certificate-unusable",
    "weighing-unusable",
    "headquarters-unreached",
}


def test_what_check_lets_pass_the_daemon_starts_with(small: SmallSite, tmp_path: Path) -> None:
    spoil(small)
    shown: list[str] = []
    assert exit_code_of(["check", "--config", str(small.site.agent_toml)], shown.append) == 0, shown
    for words in ("is not there", "console: not_after", "goods.csv", "chosen.csv", "results.dir", "cargo.json", "no [[consumer]] away"):
        assert words in shown[0]
    daemon = small.site.daemon()
    with running(daemon):
        small.ready(daemon)
        small.wait_for(lambda: reasons(small) >= NAMED, daemon)
        assert daemon.stop() == 0


def spoil(small: SmallSite) -> None:
    """Break everything at once that a site can work without."""
    folder = small.site.folder
    small.watched.rmdir()
    for name in ("goods.csv", "chosen.csv"):
        (folder / name).write_text("no,such,columns\n1,2,3\n")
    (folder / "results").write_text("a file where a folder should be")
    certificates = small.site.state_dir / "bundles/commission"
    certificates.mkdir(parents=True)
    for name in ("cargo.json", "weight-s1.json"):
        (certificates / name).write_text("{")
    text = small.site.agent_toml.read_text().replace('role = "console"', 'role = "console"\nnot_after = 2026-01-01T00:00:00Z')
    text += f'\n[declarations]\nfile = "{folder}/goods.csv"\n[selections]\nfile = "{folder}/chosen.csv"\n'
    text += f'[results]\ndir = "{folder}/results/written"\n[wire.outbound]\nendpoint = "tcp://127.0.0.1:9"\nconsumer = "away"\n'
    small.site.agent_toml.write_text(text)


def reasons(small: SmallSite) -> set[str]:
    bodies = [body for body in small.bodies("health") if isinstance(body, HealthBody)]
    return {reason.code for reason in bodies[-1].reasons} if bodies else set()
