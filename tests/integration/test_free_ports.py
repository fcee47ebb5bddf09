"""Ports that tests choose before somebody binds them: no two processes of a machine are given the same one."""

import json
import subprocess
import sys

from benchmarks import site

FEW, MOST = 60, 20
_CHOOSER = f"""
import json, sys
from benchmarks import site
site._PORTS = (int(sys.argv[1]), int(sys.argv[1]) + {FEW})
print(json.dumps([site.free_port() for _ in range({MOST})]), flush=True)
sys.stdin.readline()
"""


def test_processes_that_choose_at_the_same_time_choose_different_ports(monkeypatch):
    first = site.free_port()  # wherever that is: the few ports behind it are as good as any
    monkeypatch.setattr(site, "_PORTS", (first, first + FEW))
    command = (sys.executable, "-c", _CHOOSER, str(first))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=site.ROOT) as other:
        theirs = json.loads(other.stdout.readline())
        ours = [site.free_port() for _ in range(MOST)]
        other.communicate("\n")
    assert len({first, *theirs, *ours}) == 1 + 2 * MOST
