"""`edge-agent api` as a process: it serves an archive that a collector writes, describes itself, and ends when told."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from edge_agent.cli.main import main
from edge_agent.collector.archive.store import Archive
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.archives import batch, journal_of
from edge_agent.testing.site_journal import assessment

CONFIG = """
archive = "archive.db"
timezone = "UTC"
[api]
bind = "127.0.0.1:0"
tokens = "tokens.json"
[[site]]
id = "north"
endpoint = "tcp://127.0.0.1:5571"
insecure_loopback_only = true
"""


def ask(url: str, token: str) -> dict[str, object]:
    return httpx.get(url, headers={"Authorization": f"Bearer {token}"} if token else {}, timeout=40).json()


def test_it_serves_what_a_collector_stores_meanwhile_and_stops_at_once(tmp_path: Path, capsys) -> None:
    (tmp_path / "collector.toml").write_text(CONFIG)
    assert main(["tokens", "new", "t", "--scope", "read", "--file", str(tmp_path / "tokens.json"), "--json"]) == 0
    token = json.loads(capsys.readouterr().out)["token"]
    journal = journal_of(assessment("north", "1"), assessment("north", "2"))
    with Archive.open(tmp_path / "archive.db", SystemClock()) as archive:
        archive.commit([batch(journal, 0, 1)])
        command = (sys.executable, "-m", "edge_agent", "api", "--config", "collector.toml")
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
            try:
                url = json.loads(process.stdout.readline())["url"]
                assert len(ask(f"{url}api/v1/scans?kind=", token)["scans"]) == 1
                archive.commit([batch(journal, 1, 2)])
                assert len(ask(f"{url}api/v1/scans?kind=", token)["scans"]) == 2
                assert ask(f"{url}api/v1/health", "")["collector"] == "absent"
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(40)
            assert process.returncode == 0
            lines = process.stdout.read()
    assert token not in lines


def test_it_describes_itself_without_serving(tmp_path: Path, capsys) -> None:
    (tmp_path / "collector.toml").write_text(CONFIG)
    Archive.open(tmp_path / "archive.db", SystemClock()).close()
    assert main(["api", "--config", str(tmp_path / "collector.toml"), "--describe"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert described["info"]["title"] == "edge-agent headquarters"
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_without_its_table_it_says_what_is_missing(tmp_path: Path, capsys) -> None:
    (tmp_path / "collector.toml").write_text(CONFIG.replace("[api]", "[watch]").replace('bind = "127.0.0.1:0"\ntokens = "tokens.json"', ""))
    assert main(["api", "--config", str(tmp_path / "collector.toml")]) == 78
    assert "[api]" in capsys.readouterr().err
