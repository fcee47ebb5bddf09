"""Headquarters' read API over an archive of a small story: who may ask, what is told, what is never told, page by page."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import structlog

from edge_agent.collector.api_app import api_app
from edge_agent.collector.archive.port import Batch, Cursor
from edge_agent.collector.archive.store import Archive
from edge_agent.collector.config import load
from edge_agent.collector.states import Alarm, AlarmCode, Phase, SiteNow, States, write_states
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import ConfigInvalid
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.hq_story import SITES, story
from edge_agent.testing.web import browser
from edge_agent.web.tokens import Scope, new_token, write_tokens

CONFIG = """
archive = "archive.db"
timezone = "Asia/Kolkata"
[api]
tokens = "tokens.json"
[[site]]
id = "harbour"
endpoint = "tcp://127.0.0.1:5571"
insecure_loopback_only = true
"""
DAYS = 2


def clock_behind_the_story() -> ManualClock:
    clock = ManualClock()
    clock.advance(DAYS * 86_400)
    return clock


@pytest.fixture(scope="module")
def headquarters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive, a configuration, three tokens, and what a collector last said."""
    folder = tmp_path_factory.mktemp("hq")
    clock = clock_behind_the_story()
    rows = {}
    for site, row in story(days=DAYS, sites=SITES):
        rows.setdefault(site, []).append(row)
    with Archive.open(folder / "archive.db", clock) as archive:
        for site, of_site in rows.items():
            archive.commit([Batch(SiteId(site), Cursor(of_site[0].epoch, Seq(0), of_site[0].epoch), tuple(of_site))])
    (folder / "collector.toml").write_text(CONFIG)
    texts = {}
    tokens = []
    for name, scope, days in (("reader", Scope.READ, 30), ("prometheus", Scope.METRICS, 30), ("old", Scope.READ, -1)):
        texts[name], token = new_token(name, scope, clock.now() + timedelta(days=days))
        tokens.append(token)
    write_tokens(folder / "tokens.json", tuple(tokens))
    (folder / "texts.json").write_text(json.dumps(texts))
    write_states(folder / "states.json", states(clock))
    return folder


def states(clock: ManualClock) -> States:
    alarm = Alarm(code=AlarmCode.SILENT, since=clock.now(), detail="120 s")
    harbour = SiteNow(site="harbour", phase=Phase.CURRENT, phase_since=clock.now(), head=5, durable=3, health="healthy")
    border = SiteNow(site="border", phase=Phase.SILENT, phase_since=clock.now(), alarms=(alarm,))
    return States(written_at=clock.now(), started=clock.now(), collector="hq", sites=(border, harbour))


def asked(
    folder: Path,
    dialogue: Callable[[httpx.AsyncClient], Awaitable[object]],
    bearer: str = "reader",
    address: str = "127.0.0.1",
    more: str = "",
) -> object:
    texts = json.loads((folder / "texts.json").read_text())
    headers = {"Authorization": f"Bearer {texts.get(bearer, bearer)}"} if bearer else {}

    async def run() -> object:
        with ExitStack() as stack:
            config = folder / f"collector{len(more)}.toml"
            config.write_text(CONFIG.replace("[api]\n", f"[api]\n{more}\n"))
            app = api_app(load(config), clock_behind_the_story(), stack)
            async with browser(app, address, headers) as client:
                return await dialogue(client)

    with structlog.testing.capture_logs():
        return asyncio.run(run())


def got(folder: Path, path: str, **how: str) -> httpx.Response:
    async def dialogue(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(path)

    return asked(folder, dialogue, **how)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


READ = ["sites", "sites/harbour", "scans", "scans/harbour/00000000-0000-0000-0000-000000000000", "days", "kpis", "transparency"]


@pytest.mark.parametrize("path", READ)
@pytest.mark.parametrize("bearer", ["", "eat_made_up", "prometheus", "old", "reader2"])
def test_without_a_good_token_of_its_scope_nothing_is_told(headquarters: Path, path: str, bearer: str) -> None:
    answer = got(headquarters, f"/api/v1/{path}", bearer=bearer)
    assert refusal(answer) == (401, "token-refused")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_is_no_password_of_another_kind(headquarters: Path) -> None:
    texts = json.loads((headquarters / "texts.json").read_text())

    async def dialogue(client):
        for value in (texts["reader"], f"Basic {texts['reader']}", f"Bearer {texts['reader']} x", f"Bearer {texts['reader'][:-1]}"):
            assert refusal(await client.get("/api/v1/scans", headers={"Authorization": value})) == (401, "token-refused")
        assert (await client.get("/api/v1/scans", headers={"Authorization": f"bearer {texts['reader']}"})).status_code == 200

    asked(headquarters, dialogue, bearer="")


def test_a_revoked_token_is_refused_while_the_server_runs(headquarters: Path, tmp_path: Path) -> None:
    """On a copy of the token file: other tests use the same folder."""
    from edge_agent.errors import TokenRefused
    from edge_agent.web.tokens import Tokens

    clock, path = ManualClock(), tmp_path / "tokens.json"
    text, token = new_token("reader", Scope.READ, clock.now() + timedelta(days=1))
    write_tokens(path, (token,))
    tokens = Tokens(path, clock)
    assert tokens.check(f"Bearer {text}", Scope.READ).name == "reader"
    write_tokens(path, ())
    clock.advance(1)
    with pytest.raises(TokenRefused):
        tokens.check(f"Bearer {text}", Scope.READ)
    write_tokens(path, (token,))
    clock.advance(1)
    tokens.check(f"Bearer {text}", Scope.READ)
    path.write_text("spoiled")
    clock.advance(1)
    with pytest.raises(TokenRefused), structlog.testing.capture_logs() as log:
        tokens.check(f"Bearer {text}", Scope.READ)
    assert [line["event"] for line in log] == ["tokens_unreadable"]


def test_the_token_file_holds_no_token(headquarters: Path) -> None:
    stored = (headquarters / "tokens.json").read_text()
    assert [name for name, text in json.loads((headquarters / "texts.json").read_text()).items() if text in stored] == []
    assert (headquarters / "tokens.json").stat().st_mode & 0o777 == 0o600


def test_health_needs_no_token_and_names_no_site(headquarters: Path) -> None:
    answer = got(headquarters, "/api/v1/health", bearer="")
    assert answer.json() | {"version": ""} == {"version": "", "collector": "running", "sites": 2, "alarms": 1}


def test_metrics_are_for_their_token_and_for_this_machine(headquarters: Path) -> None:
    assert got(headquarters, "/metrics", bearer="").status_code == 200
    assert refusal(got(headquarters, "/metrics", bearer="", address="192.0.2.9")) == (401, "token-refused")
    assert refusal(got(headquarters, "/metrics", address="192.0.2.9")) == (401, "token-refused")
    answer = got(headquarters, "/metrics", bearer="prometheus", address="192.0.2.9")
    assert 'edge_agent_site_lag_rows{site="harbour"} 2' in answer.text.splitlines()
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert refusal(got(headquarters, "/metrics", bearer="", more="behind_proxy = true")) == (401, "token-refused")


def test_the_sites_stand_as_the_collector_said(headquarters: Path) -> None:
    told = got(headquarters, "/api/v1/sites").json()
    assert [(site["site"], site["phase"], site["lag"], [alarm["code"] for alarm in site["alarms"]]) for site in told["sites"]] == [
        ("border", "silent", 0, ["silent"]),
        ("harbour", "current", 2, []),
    ]
    assert told["is_dead"] is False
    assert got(headquarters, "/api/v1/sites/harbour").json() == told["sites"][1]
    assert refusal(got(headquarters, "/api/v1/sites/nowhere")) == (404, "address-unknown")


def pages(folder: Path, query: str) -> list[list[dict[str, object]]]:
    async def dialogue(client):
        found, cursor = [], ""
        while cursor is not None:
            answer = (await client.get(f"/api/v1/scans?{query}&cursor={cursor}")).json()
            found.append(answer["scans"])
            cursor = answer["next"]
        return found

    return asked(folder, dialogue)


@pytest.mark.parametrize("query", ["limit=40&kind=", "limit=1&kind=&site=border&outcome=alert"])
def test_pages_give_every_scan_once_newest_first(headquarters: Path, query: str) -> None:
    found = pages(headquarters, query)
    scans = [scan for page in found for scan in page]
    with Archive.read(headquarters / "archive.db", ManualClock()) as archive:
        expected = [case for case in archive.cases() if "site" not in query or (case.site == "border" and case.outcome == "alert")]
    assert {scan["scan_id"] for scan in scans} == {case.scan_id for case in expected}
    assert len(scans) == len(expected) > 3
    assert [scan["produced_at"] for scan in scans] == sorted((scan["produced_at"] for scan in scans), reverse=True)
    assert {len(page) for page in found[:-1]} == {40 if "limit=40" in query else 1}


def test_filters_keep_what_they_say_and_live_is_the_default(headquarters: Path) -> None:
    (live,) = pages(headquarters, "limit=500&site=border")
    assert {scan["kind"] for scan in live} == {"live"}
    assert {scan["site"] for scan in live} == {"border"}
    (alerts,) = pages(headquarters, "limit=500&site=harbour&scanner=gate-1&outcome=alert")
    assert {(scan["scanner"], scan["outcome"]) for scan in alerts} == {("gate-1", "alert")}
    (tips,) = pages(headquarters, "limit=500&kind=tip")
    assert {scan["kind"] for scan in tips} <= {"tip"}
    (late,) = pages(headquarters, "limit=500&since=2026-03-04")
    assert all(scan["produced_at"] >= "2026-03-03T10:00" for scan in late)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "outcome=maybe",
        "since=yesterday",
        "site=A%20B",
        "cursor=!!",
        "cursor=AAAA",
        "cursor=W10",
        "cursor=WzEsMiwzXQ",
        "cursor=WzEsIlx1ZDgwMCIsIngiXQ",  # half of a surrogate pair: no database takes it
        "cursor=WzEsImEiLCJcdTAwMDAiXQ",  # NUL: PostgreSQL does not take it
    ],
)
def test_a_question_that_is_none_is_refused(headquarters: Path, query: str) -> None:
    assert refusal(got(headquarters, f"/api/v1/scans?{query}")) == (422, "request-invalid")


@pytest.mark.parametrize(
    "query", ["since=2026-03-02&until=2026-03-01", "since=2020-01-01&until=2026-01-01", "until=0001-01-01", "since=9999-12-31"]
)
def test_days_are_bounded(headquarters: Path, query: str) -> None:
    assert refusal(got(headquarters, f"/api/v1/days?{query}")) == (422, "request-invalid")


@pytest.mark.parametrize("day", ["0", "-5.2e-22", "1772452800", "20260302", "2026-03-02T00:00:00", "2026-W10-1", "2026-02-30", "today"])
@pytest.mark.parametrize("path", ["scans", "days", "kpis"])
def test_a_day_is_written_as_described_and_in_no_other_way(headquarters: Path, path: str, day: str) -> None:
    assert refusal(got(headquarters, f"/api/v1/{path}?since={day}")) == (422, "request-invalid")


def test_a_scan_is_told_with_all_its_facts_and_nobody_is_named(headquarters: Path) -> None:
    """Officers, workstations and everything that stands for an identifier stay in the archive."""
    with Archive.read(headquarters / "archive.db", ManualClock()) as archive:
        case = next(case for case in archive.cases() if case.control and case.officer)
        facts = archive.facts_of(_key(case))
    answer = got(headquarters, f"/api/v1/scans/{case.site}/{case.scan_id}")
    told = answer.json()
    assert [fact["kind"] for fact in told["facts"]] == [fact.kind for fact in facts]
    assert [fact["hash"] for fact in told["facts"]] == [fact.row.hash.hex() for fact in facts]
    assert told["scan"]["control"] == case.control
    assert case.officer not in answer.text
    assert {"officer", "workstation", "submitted_by", "commitment"} & _keys(told) == set()
    assert any(case.officer.encode() in fact.row.body for fact in facts), "the story must name one, or this shows nothing"


def test_the_facts_of_a_scan_come_a_page_at_a_time(headquarters: Path) -> None:
    with Archive.read(headquarters / "archive.db", ManualClock()) as archive:
        case = next(case for case in archive.cases() if case.control and case.officer)
        every = [fact.row.seq for fact in archive.facts_of(_key(case))]
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        told = got(headquarters, f"/api/v1/scans/{case.site}/{case.scan_id}?after={after}&limit=1").json()
        assert len(told["facts"]) == 1
        seen += [fact["seq"] for fact in told["facts"]]
        after = told["next"]
    assert (seen, len(every) > 2) == (every, True)
    for query in ("limit=0", "limit=501", "after=-1", "after=x"):
        assert refusal(got(headquarters, f"/api/v1/scans/{case.site}/{case.scan_id}?{query}")) == (422, "request-invalid")


def _key(case):
    from edge_agent.collector.archive.port import ScanKey
    from edge_agent.domain.ids import ScanId

    return ScanKey(SiteId(case.site), ScanId(case.scan_id))


def _keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for each in value.values() for key in _keys(each)}
    return {key for each in value for key in _keys(each)} if isinstance(value, list) else set()


def test_no_list_names_an_officer_either(headquarters: Path) -> None:
    with Archive.read(headquarters / "archive.db", ManualClock()) as archive:
        officers = {case.officer for case in archive.cases()} - {""}
    assert len(officers) > 3
    for path in ("scans?limit=500&kind=", "kpis", "transparency"):
        text = got(headquarters, f"/api/v1/{path}").text
        assert [officer for officer in officers if officer in text] == []


def test_an_unknown_scan_is_said_to_be_one(headquarters: Path) -> None:
    assert refusal(got(headquarters, "/api/v1/scans/harbour/00000000-0000-4000-8000-000000000000")) == (404, "unknown-scan")
    assert refusal(got(headquarters, "/api/v1/scans/harbour/no-uuid")) == (422, "request-invalid")


def test_days_add_up_to_the_report_s_counts(headquarters: Path) -> None:
    days = got(headquarters, "/api/v1/days?since=2026-03-01&until=2026-03-05").json()["days"]
    tables = got(headquarters, "/api/v1/kpis?since=2026-03-01&until=2026-03-05").json()["tables"]
    for site in ("harbour", "airport", "border"):
        of_site = [row for row in tables["scans"] if row["site"] == site]
        for outcome in ("alert", "no_alert", "unassessable"):
            assert (
                sum(day[outcome] for day in days if day["site"] == site) == sum(row[outcome] for row in of_site) > 0 or outcome != "alert"
            )


def test_public_figures_are_public_only_when_configured(headquarters: Path) -> None:
    assert refusal(got(headquarters, "/api/v1/transparency", bearer="")) == (401, "token-refused")
    assert got(headquarters, "/api/v1/transparency", bearer="", more="transparency = true").status_code == 200
    assert refusal(got(headquarters, "/api/v1/kpis", bearer="", more="transparency = true")) == (401, "token-refused")


def test_public_figures_are_of_whole_months_and_of_no_period_of_one_s_choice(headquarters: Path) -> None:
    """Two periods a day apart would tell the figures of that day."""
    answer = got(headquarters, "/api/v1/transparency").json()
    assert (answer["first"], answer["last"]) == ("2025-03-01", "2026-02-28")
    assert refusal(got(headquarters, "/api/v1/transparency?since=2026-03-02&until=2026-03-02")) == (422, "request-invalid")


def test_what_is_known_already_is_not_sent_again(headquarters: Path) -> None:
    async def dialogue(client):
        first = await client.get("/api/v1/scans?limit=5")
        again = await client.get("/api/v1/scans?limit=5", headers={"If-None-Match": first.headers["etag"]})
        other = await client.get("/api/v1/scans?limit=6", headers={"If-None-Match": first.headers["etag"]})
        return first, again, other

    first, again, other = asked(headquarters, dialogue)
    assert first.headers["cache-control"] == "private, no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert other.status_code == 200


def test_one_count_serves_all_who_ask_at_once(headquarters: Path) -> None:
    async def dialogue(client):
        answers = await asyncio.gather(*(client.get("/api/v1/kpis") for _ in range(5)))
        return {answer.json()["made_at"] for answer in answers}, [answer.status_code for answer in answers]

    made, statuses = asked(headquarters, dialogue)
    assert statuses == [200] * 5
    assert len(made) == 1


def test_whoever_asks_too_often_waits(headquarters: Path) -> None:
    async def dialogue(client):
        answers = [await client.get("/api/v1/health") for _ in range(101)]
        return [answer.status_code for answer in answers], answers[-1].headers

    statuses, headers = asked(headquarters, dialogue, bearer="")
    assert statuses == [200] * 100 + [429]
    assert int(headers["retry-after"]) >= 1


def test_nothing_can_be_changed(headquarters: Path) -> None:
    async def dialogue(client):
        return {
            (await client.request(method, f"/api/v1/{path}")).status_code for method in ("POST", "PUT", "DELETE", "PATCH") for path in READ
        }

    assert asked(headquarters, dialogue) == {405}


def test_without_an_archive_or_a_table_it_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "collector.toml").write_text(CONFIG)
    with ExitStack() as stack, pytest.raises(ConfigInvalid, match="archive"):
        api_app(load(tmp_path / "collector.toml"), ManualClock(), stack)
    (tmp_path / "collector.toml").write_text(CONFIG.replace("[api]", "[expected]").replace('tokens = "tokens.json"', ""))
    with ExitStack() as stack, pytest.raises(ConfigInvalid, match="api"):
        api_app(load(tmp_path / "collector.toml"), ManualClock(), stack)


def test_what_is_wrong_inside_is_not_told_outside(headquarters: Path) -> None:
    (headquarters / "states.json").rename(headquarters / "away.json")
    try:
        answer = got(headquarters, "/api/v1/sites")
    finally:
        (headquarters / "away.json").rename(headquarters / "states.json")
    assert refusal(answer) == (503, "states-unreadable")
    assert str(headquarters) not in answer.text
