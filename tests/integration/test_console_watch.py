"""``edge-agent watch`` as a process: lines, exit codes, and a verdict by keys in a real pseudo-terminal."""

import asyncio
import json
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest

from edge_agent.domain.ids import Seq
from edge_agent.testing.factories import a_scan_id, a_set_aside, an_assessment, an_audit
from edge_agent.testing.loopback import Keyring, Setting, loopback_site
from edge_agent.testing.sights import a_sight
from edge_agent.testing.window import Window, window
from edge_agent.transport.keys import new_key_pair
from edge_agent.wire.messages import ObstaclePart, VerdictBody, decode

SCAN = a_scan_id("a")
NOWHERE = "tcp://127.0.0.1:1"


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
    out, err = await asyncio.wait_for(process.communicate(), 170)
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
        ["--scanner", "s1"],
        ["--site", NOWHERE, "--site", NOWHERE, "--server-key", "a" * 40, "--key", "nowhere.key_secret"],
        ["--config", "nowhere.toml"],
        ["--config", "nowhere.toml", "--site", NOWHERE],
    ],
    ids=["no endpoint", "no keys", "no key files", "insecure elsewhere", "no site", "keys too few", "no file", "two sources"],
)
def test_a_faulty_call_exits_78_before_anything_is_sent(words):
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", "watch", "--plain", *words], capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 78
    assert "what to do" in done.stderr


def test_a_terminated_watch_ends_in_order(tmp_path):
    async def law():
        async with site_with_key_files(tmp_path) as (site, keys):
            process = await asyncio.create_subprocess_exec(*command(site, keys, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            await asyncio.wait_for(process.stdout.readline(), 40)
            process.terminate()
            _, err = await asyncio.wait_for(process.communicate(), 40)
            assert (process.returncode, err) == (0, b"")

    asyncio.run(law())


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (160, 40)])
def test_an_officer_decides_by_keys_and_sees_the_verdict_come_back(tmp_path, columns, lines):
    async def law():
        async with site_with_key_files(tmp_path) as (site, keys):
            await site.add(an_assessment(SCAN, conclusion="alert"))
            async with window(command(site, keys, "--officer", "Officer 7"), columns, lines) as terminal:
                await terminal.until("harbour: LIVE", "ALERT", "advisory, not commissioned", "found: handgun 0.90")
                assert (" findings" in terminal.grid.shown()[1]) == (columns == 160)
                terminal.press("n\r")
                await terminal.until("give a reason first")
                terminal.press("6\r")
                await terminal.until("committed as #2", "not suspicious")
                terminal.press("q")
                assert (0, True) == await terminal.left()
            (row,) = await site.ledger.rows(Seq(1), 10, 1 << 20)
            body = decode(row.body)
            assert isinstance(body, VerdictBody)
            assert (body.conclusion, [reason.code for reason in body.reasons]) == ("not-suspicious", ["documents-checked"])

    asyncio.run(law())


def test_a_scan_is_looked_at_from_its_picture_to_its_provenance_in_a_small_terminal(tmp_path):
    async def law():
        async with site_with_key_files(tmp_path) as (site, keys):
            dark = ObstaclePart(code="dark", params={"share": 0.31}, view="top", blocking=True)
            await a_sight(site, conclusion="unassessable", extra=[dark])
            async with window(command(site, keys)) as terminal:
                await terminal.until("CANNOT JUDGE", "view top", "31 % of the load is too dark", "declared: 0202 frozen boneless beef")
                terminal.press("\r")
                await terminal.until("blocked: 31 % of the load is too dark to judge (view top)", "more lines: space")
                picture = [line for line in terminal.grid.shown() if line.startswith("\u2580" * 40)]
                assert len(picture) >= 8
                for _ in range(4):
                    terminal.press(" ")
                await terminal.until("ran on: CPU", "policy:", "model: detector/0.1.0, trained on simulated scans")
                terminal.press("m?")
                await terminal.until("STALE          nothing heard")
                terminal.press("?q")
                assert (0, True) == await terminal.left()

    asyncio.run(law())


def test_a_terminal_without_colours_gets_letters_with_the_box_in_them(tmp_path):
    async def law():
        async with site_with_key_files(tmp_path) as (site, keys):
            await a_sight(site)
            async with window(command(site, keys), term="vt100") as terminal:
                await terminal.until("ALERT", "view top")
                terminal.press("\r")
                await terminal.until("+-+", "|0|", "****")
                assert "\u2580" not in "".join(terminal.grid.shown())

    asyncio.run(law())


def test_a_window_that_changes_its_size_is_drawn_anew_and_an_idle_one_sends_nothing(tmp_path):
    async def law():
        async with site_with_key_files(tmp_path) as (site, keys):
            await a_sight(site)
            async with window(command(site, keys)) as terminal:
                await terminal.until("LIVE", "view top", "? help  q quit")
                terminal.resize(130, 45)
                await terminal.until("findings", "ran on: CPU (cpu, onnxruntime 1.31.0)", "? help  q quit")
                assert "? help  q quit" in terminal.grid.shown()[-1]
                sent = -1
                for _ in range(40):  # heat map and audit row may still be on their way
                    sent, before = terminal.sent_bytes, sent
                    if sent == before:
                        break
                    await asyncio.sleep(1.0)
                assert sent == terminal.sent_bytes == before

    asyncio.run(law())


def test_a_site_that_does_not_answer_stands_first_and_takes_nothing_from_the_others(tmp_path):
    async def law():
        async with site_with_key_files(tmp_path) as (site, keys):
            await site.add(an_assessment(SCAN, conclusion="alert"))
            words = [*command(site, keys, "--site", NOWHERE, "--server-key", str(keys / "site.key")), "--officer", "Officer 7"]
            async with window(words) as terminal:
                await terminal.until("harbour: LIVE", f"{NOWHERE}: STALE", "ALERT", "site")
                assert terminal.grid.shown()[0].startswith(NOWHERE)
                terminal.press("s\r")
                await terminal.until("committed as #2: suspicious")
            assert (await site.ledger.head()).seq == 2

    asyncio.run(law())


def test_the_list_shows_only_what_was_asked_for(tmp_path):
    async def law():
        async with site_with_key_files(tmp_path) as (site, keys):
            await site.add(an_assessment(SCAN, conclusion="alert"), an_assessment(a_scan_id("n")), a_set_aside(a_scan_id("b")))
            async with window(command(site, keys, "--only", "alert,set-aside")) as terminal:
                await terminal.until("LIVE", "ALERT", "SET ASIDE")
                assert "no alert" not in "\n".join(terminal.grid.shown())
            _, out, _ = await ended(*command(site, keys, "--json", "--only", "alert", "--until-seq", "3"))
            bodies = [line["body"] for line in map(json.loads, out.splitlines()) if line["event"] == "fact"]
            assert [body["conclusion"] for body in bodies] == ["alert"]

    asyncio.run(law())


def test_sites_and_keys_may_stand_in_a_file(tmp_path):
    async def law():
        async with site_with_key_files(tmp_path) as (site, _):
            await site.add(an_assessment(SCAN))
            file = tmp_path / "console.toml"
            entry = f'[[site]]\nname = "harbour"\nendpoint = "{site.sync}"\nserver_key = "keys/site.key"\nscanners = ["gate-1"]\n'
            file.write_text(f'key = "keys/console-1.key_secret"\n{entry}')
            code, out, err = await ended(sys.executable, "-m", "edge_agent", "watch", "--config", str(file), "--plain", "--count", "1")
            assert (code, err) == (0, "")
            assert "no alert" in out

    asyncio.run(law())


def test_a_screen_waits_for_its_key_to_be_enrolled_and_says_so(tmp_path):
    async def law():
        async with site_with_key_files(tmp_path) as (site, keys), window(command(site, keys, who="stranger")) as terminal:
            await terminal.until("REFUSED: the site does not let this key in")
            terminal.press("q")
            assert (0, True) == await terminal.left()

    asyncio.run(law())


def test_a_terminal_says_stale_when_the_site_is_gone_and_is_put_back_when_killed_politely(tmp_path):
    async def law():
        async with site_with_key_files(tmp_path) as (site, keys):
            words = command(site, keys)
            terminal = Window(words)
            await terminal.until("harbour: LIVE")
        try:
            await terminal.until("STALE: what is shown may be old", "was last healthy")
            terminal.process.terminate()
            assert (0, True) == await terminal.left()
        finally:
            terminal.close()

    asyncio.run(law())


def test_the_console_loads_no_heavy_library():
    heavy = ("numpy", "cv2", "onnxruntime", "apsw")
    code = f"import sys, edge_agent.console.terminal, edge_agent.cli.watch; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout.strip() == "[]"
