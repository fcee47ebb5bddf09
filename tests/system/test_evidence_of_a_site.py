"""Evidence of a real site: exported beside its running daemon, verified by a stranger."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.site import running
from benchmarks.small_site import SmallSite
from edge_agent.cli.main import main
from edge_agent.signing import verify_evidence
from edge_agent.signing.keys import SigningKey
from edge_agent.wire.messages import AuditBody

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def test_evidence_is_exported_beside_the_daemon_and_a_stranger_verifies_it(
    small: SmallSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, secret = SigningKey.new("site").save(tmp_path / "keys")
    config = small.site.agent_toml
    config.write_text(f'{config.read_text()}\n[journal]\nkey = "{secret}"\n')
    out = tmp_path / "evidence.zip"
    daemon = small.site.daemon()
    with running(daemon):
        small.ready(daemon)
        small.deliver("scan-1.png", small.scan(1))
        small.wait_for(lambda: small.packed() == 1, daemon)
        scan = small.bodies("assessment")[0].scan_id
        assert main(["evidence", str(scan), "--config", str(config), "--out", str(out), "--reason", "court-order", "--json"]) == 0
        assert daemon.stop() == 0
    shown = json.loads(capsys.readouterr().out)
    told = [body for body in small.bodies("audit") if body.scan_id == scan]
    assert [body.event.code for body in told if isinstance(body, AuditBody)] == ["exported-in-clear"]
    command = [sys.executable, "-I", "-S", verify_evidence.__file__, str(out), "--key", shown["key"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout
    assert "0 are no longer kept" in done.stdout
    (tmp_path / "shown.txt").write_text(done.stdout)
