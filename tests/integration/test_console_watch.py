"""``edge-agent watch`` as a process: lines, exit codes, and a verdict by keys in a real pseudo-terminal."""

import asyncio
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from contextlib import asynccontextmanager

import pytest

from edge_agent.domain.ids import Seq
from edge_agent.testing.factories import a_scan_id, a_set_aside, an_assessment, an_audit
from edge_agent.testing.loopback import Keyring, Setting, loopback_site
from edge_agent.transport.keys import new_key_pair
from edge_agent.wire.messages import VerdictBody, decode

SCAN = a_scan_id("a")


@asynccontextmanager
async def site_with_key_files(folder):
    keys = Keyring(*(new_key_pair(name, folder / "keys") for name in ("site", "console-1", "hq", "stranger")))
    async with loopback_site(folder, Setting(keys)) as site:
        yield site, folder / "keys"


def command(site, keys, *more, who="console-1"):
    files = ["--server-key", str(keys / "site.key"), "--key", str(keys / f"{who}.key_secret")]
    return [sys.executable, "-m", "edge_agent", "watch", "--site", site.sync, *files, *more]


async def ended(*words):
    process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    out, err = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode, out.decode(), err.decode()


def test_json_lines_carry_every_fact_and_the_watch_ends_by_itself(tmp_path):
    async def law():
        async with site_with_key_files(tmp_path) as (site, keys):
            await site.add(an_assessment(SCAN, conclusion="alert"), an_audit(), a_set_aside(a_scan_id("b")))
            code, out, err = await ended(*command(site, keys, "--json", "--until-seq", "3"))
            lines = [json.loads(line) for line in out.splitlines()]
            facts = [line for line in lines if line["event"] == "fact"]
            assert (code, err) == (0, "")
            assert [(fact["seq"], fact["body"]["kind"], fact["replayed"]) for fact in facts] == [
                (1, "assessment", True),
                (2, "audit", True),
                (3, "set-aside", True),
            ]

    asyncio.run(law())


def test_plain_lines_count_outcomes(tmp_path):
    async def law():
        async with site_with_key_files(tmp_path) as (site, keys):
            await site.add(an_assessment(SCAN, conclusion="alert"), an_audit(), a_set_aside(a_scan_id("b")))
            code, out, _ = await ended(*command(site, keys, "--count", "2"))
            assert code == 0
            assert "ALERT · advisory, not commissioned" in out
            assert out.rstrip().splitlines()[-1].startswith("#3 ")

    asyncio.run(law())


def test_a_console_that_is_not_enrolled_exits_1_and_says_what_to_do(tmp_path):
    async def law():
        async with site_with_key_files(tmp_path) as (site, keys):
            code, _, err = await ended(*command(site, keys, "--plain", who="stranger"))
            assert code == 1
            assert "not-allowed" in err
            assert "Enrol" in err

    asyncio.run(law())


@pytest.mark.parametrize(
    "words",
    [
        ["--site", "gate:5571"],
        ["--site", "tcp://127.0.0.1:5571"],
        ["--site", "tcp://127.0.0.1:5571", "--server-key", "nowhere.key", "--key", "nowhere.key_secret"],
        ["--site", "tcp://10.0.0.1:5571", "--insecure-loopback-only"],
    ],
    ids=["no endpoint", "no keys", "no key files", "insecure elsewhere"],
)
def test_a_faulty_call_exits_78_before_anything_is_sent(words):
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", "watch", "--plain", *words], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 78
    assert "what to do" in done.stderr


def test_a_terminated_watch_ends_in_order(tmp_path):
    async def law():
        async with site_with_key_files(tmp_path) as (site, keys):
            process = await asyncio.create_subprocess_exec(*command(site, keys, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            await asyncio.wait_for(process.stdout.readline(), 10)
            process.terminate()
            _, err = await asyncio.wait_for(process.communicate(), 10)
            assert (process.returncode, err) == (0, b"")

    asyncio.run(law())


class Terminal:
    """A pseudo-terminal with a watch in it; ``shown`` is everything that was drawn."""

    def __init__(self, words, columns=160):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self._slave = slave
        self.process = subprocess.Popen(
            ["env", "-u", "COLUMNS", "-u", "LINES", "TERM=xterm-256color", *words], stdin=slave, stdout=slave, stderr=slave
        )
        self.shown = ""
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def _read(self):
        self.shown += os.read(self._master, 65536).decode("utf-8", "replace")
        self._news.set()

    def press(self, keys):
        self.shown = ""
        os.write(self._master, keys.encode())

    async def until(self, *texts):
        try:
            async with asyncio.timeout(15):
                while not all(text in self.shown for text in texts):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pytest.fail(f"never shown: {[text for text in texts if text not in self.shown]}; but: {self.shown[-3000:]!r}")

    async def left(self):
        code = await asyncio.get_running_loop().run_in_executor(None, self.process.wait, 10)
        after = termios.tcgetattr(self._slave)
        return code, after == self.before

    def close(self):
        asyncio.get_running_loop().remove_reader(self._master)
        self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)


@asynccontextmanager
async def terminal(words, columns):
    window = Terminal(words, columns)
    try:
        yield window
    finally:
        window.close()


@pytest.mark.parametrize("columns", [80, 160])
def test_an_officer_decides_by_keys_and_sees_the_verdict_come_back(tmp_path, columns):
    async def law():
        async with site_with_key_files(tmp_path) as (site, keys):
            await site.add(an_assessment(SCAN, conclusion="alert"))
            async with terminal(command(site, keys, "--officer", "Officer 7"), columns) as window:
                await window.until("link LIVE", "ALERT", "advisory, not commissioned", "handgun 0.90", "CPU")
                assert ("provider" in window.shown) == (columns == 160)
                window.press("n\r")
                await window.until("give a reason first")
                window.press("6\r")
                await window.until("committed as #2", "not suspicious")
                window.press("q")
                assert await window.left() == (0, True)
            (row,) = await site.ledger.rows(Seq(1), 10, 1 << 20)
            body = decode(row.body)
            assert isinstance(body, VerdictBody)
            assert (body.conclusion, [reason.code for reason in body.reasons]) == ("not-suspicious", ["documents-checked"])

    asyncio.run(law())


def test_a_terminal_says_stale_when_the_site_is_gone_and_is_put_back_when_killed_politely(tmp_path):
    async def law():
        async with site_with_key_files(tmp_path) as (site, keys):
            words = command(site, keys)
            window = Terminal(words)
            await window.until("link LIVE")
        try:
            await window.until("link STALE")
            window.process.terminate()
            assert await window.left() == (0, True)
        finally:
            window.close()

    asyncio.run(law())


def test_the_console_loads_no_heavy_library():
    heavy = ("numpy", "cv2", "onnxruntime", "apsw")
    code = f"import sys, edge_agent.console.terminal, edge_agent.cli.watch; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"
