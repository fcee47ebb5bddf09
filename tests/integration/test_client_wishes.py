"""What a console may wish for: some scanners, some kinds, the newest scans; and that each wish is kept whatever the line does."""

import asyncio

import pytest
from pydantic import create_model

from edge_agent.console.client import ControlResult, Decision, FoundItem, Newest, Only, Phase, Wish
from edge_agent.domain.assessment import FactKind
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import FactId, ScanId, ScannerId, Seq
from edge_agent.errors import ConfigInvalid, MalformedMessage, NotAllowed, UnknownScan
from edge_agent.ledger.eviction import cut
from edge_agent.ledger.records import Entry
from edge_agent.testing.console import Watch
from edge_agent.testing.factories import SITE, a_scan_id, a_set_aside, a_verdict, an_assessment, assessment_body
from edge_agent.testing.loopback import Keyring, Setting, loopback_site
from edge_agent.testing.proxy import tcp_proxy
from edge_agent.transport.context import open_context
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import IdentityPart, encode
from edge_agent.wire.verbs import PullRequest, Request

S1, S10 = ScannerId("s1"), ScannerId("s10")


def at(scanner, *names):
    made = []
    for name in names:
        body = assessment_body(a_scan_id(f"{scanner} {name}"), scanner=scanner)
        made.append(
            Entry(FactId(body.fact_id), ScanId(body.scan_id), FactKind.ASSESSMENT, topic(SITE, scanner, "assessment"), encode(body))
        )
    return made


def mixed(first, last):
    """Facts of two scanners in turn."""
    return [entry for number in range(first, last) for entry in (*at(S1, number), *at(S10, number))]


def topics(watch):
    return {fact.topic for fact in watch.facts}


def test_a_console_that_names_a_scanner_is_sent_that_scanner_and_no_other(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            await site.add(*mixed(0, 3))
            async with Watch(site, wish=Wish(only=Only(scanners=("s1",)))) as watch:
                await watch.live()
                await site.add(*mixed(3, 6))
                await watch.until(lambda watch: len(watch.facts) == 6)
                assert topics(watch) == {topic(SITE, S1, "assessment")}
                assert [fact.replayed for fact in watch.facts] == [True] * 3 + [False] * 3

    asyncio.run(law())


def test_kinds_alone_are_filtered_here_and_the_order_is_the_journal_s(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            await site.add(an_assessment(a_scan_id("a")), a_verdict(a_scan_id("a")), a_set_aside(a_scan_id("b")), a_verdict(a_scan_id("a")))
            async with Watch(site, wish=Wish(only=Only(kinds=("verdict", "set-aside")))) as watch:
                await watch.live()
                await watch.seqs([2, 3, 4])

    asyncio.run(law())


def test_a_filtered_console_ends_with_the_same_facts_as_a_full_one_although_live_is_cut_again_and_again(tmp_path):
    async def law():
        async with tcp_proxy() as live, loopback_site(tmp_path, Setting(live_shown=live.endpoint)) as site:
            live.target = site.live
            some = Wish(only=Only(scanners=("s1", "~")))
            async with Watch(site) as full, Watch(site, site.keys.collector, wish=some) as filtered:
                await full.live()
                await filtered.live()
                for turn in range(6):
                    live.cut()
                    await site.add(*mixed(turn * 10, turn * 10 + 10))
                    await asyncio.sleep(0.15)
                await full.until(lambda watch: len(watch.facts) == 120)
                await filtered.until(lambda watch: len(watch.facts) >= 60)
                wanted = [fact.body.fact_id for fact in full.facts if "/s1/" in fact.topic]
                assert sorted(fact.body.fact_id for fact in filtered.facts) == sorted(wanted)
                numbers = [fact.seq for fact in filtered.facts]
                assert numbers == sorted(numbers)  # one topic: the journal's order holds

    asyncio.run(law())


def test_a_filtered_console_is_not_behind_because_of_rows_that_do_not_concern_it(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site, Watch(site, wish=Wish(only=Only(scanners=("s1",)))) as watch:
            await watch.live()
            await site.add(*at(S10, *range(5)), *at(S1, "x"))
            await watch.until(lambda watch: len(watch.facts) == 1)
            await watch.until(lambda watch: watch.client.state.lag == 0)

    asyncio.run(law())


def test_a_console_may_begin_with_the_newest_scans_and_their_verdicts(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            scans = [a_scan_id(str(number)) for number in range(8)]
            await site.add(*(an_assessment(scan) for scan in scans), a_verdict(scans[7]), a_verdict(scans[0]))
            async with Watch(site, wish=Wish(Newest(3))) as watch:
                await watch.live()
                await site.add(an_assessment(a_scan_id("next")))
                await watch.seqs([6, 7, 8, 9, 11])
                assert [fact.replayed for fact in watch.facts] == [True] * 4 + [False]

    asyncio.run(law())


def test_a_filtered_console_may_begin_with_the_newest_scans_too(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            await site.add(*mixed(0, 5))
            async with Watch(site, wish=Wish(Newest(2), Only(scanners=("s10",)))) as watch:
                await watch.live()
                await site.add(*mixed(5, 6))
                await watch.seqs([8, 10, 12])

    asyncio.run(law())


def test_a_snapshot_is_taken_anew_when_the_journal_begins_a_new_epoch(tmp_path):
    async def law():
        keys = Keyring()
        (tmp_path / "new").mkdir()
        async with tcp_proxy() as sync, tcp_proxy() as live:
            with open_context() as context:
                setting = Setting(keys, live_shown=live.endpoint)
                async with loopback_site(tmp_path, setting) as site:
                    sync.target, live.target, site.context = site.sync, site.live, context
                    await site.add(*at(S1, *range(4)))
                    watch = Watch(site, sync=sync.endpoint, wish=Wish(Newest(2)))
                    await watch.live()
                async with loopback_site(tmp_path / "new", setting) as site, watch:
                    await site.add(*at(S1, *range(4)), *at(S1, "after"))
                    sync.target, live.target = site.sync, site.live
                    await watch.until(lambda watch: len(watch.facts) == 3)
                    await watch.live()
                    await watch.seqs([3, 4, 5])  # 3 and 4 were handed out under the old epoch

    asyncio.run(law())


def test_rows_that_retention_takes_behind_a_filtered_console_s_proof_are_no_divergence(tmp_path, monkeypatch):
    monkeypatch.setattr("edge_agent.console.place.PROVE_ROWS", 3)

    async def law():
        async with loopback_site(tmp_path) as site, Watch(site, wish=Wish(only=Only(scanners=("s1",)))) as watch:
            await watch.live()
            await site.add(*mixed(0, 2))
            await watch.until(lambda watch: len(watch.facts) == 2)
            await site.ledger.call(lambda ledger: cut(ledger._db, Seq(3), {}))
            await site.add(*at(S1, "proved now"))
            async with asyncio.timeout(40):
                while not watch.task.done() and ((place := watch.client._follower._place) is None or place.cursor.seq < 5):  # noqa: ASYNC110 - a proof is no event
                    await asyncio.sleep(0.05)
            await site.add(*at(S1, "and on"))
            await watch.seqs([1, 3, 5, 6])
            assert (watch.client.state.phase, watch.client.state.missed) == (Phase.LIVE, 0)

    asyncio.run(law())


@pytest.mark.parametrize("names", [("S1",), ("s1/../s2",), ("",), ("*",)])
def test_a_wish_that_is_no_scanner_s_name_is_refused_at_once(names):
    with pytest.raises(ConfigInvalid):
        Only(scanners=names)


@pytest.mark.parametrize("last", [0, -1, 101])
def test_a_wish_for_more_outcomes_than_a_site_gives_is_refused_at_once(last):
    with pytest.raises(ConfigInvalid):
        Newest(last)


def test_a_console_may_not_report_an_examination_and_headquarters_may_once(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            scan = a_scan_id("a")
            await site.add(an_assessment(scan))
            found = [FoundItem(what="cigarettes", where="floor", quantity="4800 pieces")]
            result = ControlResult(scan, 1, "harbour-control", "found", found)
            async with Watch(site) as console, Watch(site, site.keys.collector) as hq:
                await console.live()
                with pytest.raises(NotAllowed):
                    await console.client.report(result)
                assert {(await hq.client.report(result))[0] for _ in range(3)} == {Seq(2)}
                await console.seqs([1, 2])
                assert (console.facts[1].body.kind, console.facts[1].body.found[0].what) == ("control", "cigarettes")

    asyncio.run(law())


def test_the_rules_about_verdicts_come_back_as_their_own_errors(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            aside = a_scan_id("b")
            await site.add(an_assessment(a_scan_id("a")), a_set_aside(aside))
            async with Watch(site) as watch:
                with pytest.raises(UnknownScan):
                    await watch.client.decide(Decision(a_scan_id("never"), 1, "rescan", "Officer 7"))
                with pytest.raises(UnknownScan):
                    await watch.client.decide(Decision(aside, 1, "not-suspicious", "Officer 7"))
                with pytest.raises(NotAllowed):
                    await watch.client.decide(Decision(a_scan_id("a"), 1, "suspicious", "Officer 7", is_supervisor=True))
                assert (await watch.client.decide(Decision(aside, 1, "rescan", "Officer 7")))[0] == 3

    asyncio.run(law())


async def a_numbered_scan(site):
    """An assessment of a scan whose container's number the site knows and the journal does not."""
    (row,) = await site.ledger.tokenise([IdentityValue(IdentityClass.CONTAINER, "MSKU1234565")])
    body = assessment_body(a_scan_id("n"))
    part = IdentityPart(kind="container", token=row.token, commitment=row.commitment)
    body = body.model_copy(update={"identities": [part]})
    where = topic(SITE, body.scanner, "assessment")
    (seq,) = await site.add(Entry(FactId(body.fact_id), ScanId(body.scan_id), FactKind.ASSESSMENT, where, encode(body)))
    return seq, row.token


def test_a_container_s_number_comes_only_when_asked_for_and_the_view_is_journalled(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site, Watch(site) as watch:
            seq, token = await a_numbered_scan(site)
            await watch.live()
            await watch.until(lambda watch: len(watch.facts) == 1)
            assert dict(watch.client.identities) == {}
            await watch.client.identify(seq)
            assert dict(watch.client.identities) == {token: "MSKU1234565"}
            assert "MSKU" not in repr(watch.client.identities)
            await watch.until(lambda watch: len(watch.facts) == 2)
            assert watch.facts[1].body.event.code == "identities-viewed"
            assert "MSKU" not in repr(watch.facts)

    asyncio.run(law())


def a_pull_of_before_the_field_officer():
    """PULL as sites of before knew it: an unknown field is refused, as every request's is."""
    fields = {name: (field.annotation, field) for name, field in PullRequest.model_fields.items() if name != "officer"}
    older = create_model("PullRequest", __base__=Request, **fields)
    return type("OlderPullRequest", (older,), {"officer": property(lambda _: None)})


def test_a_site_too_old_to_be_told_the_officer_gives_numbers_all_the_same_and_journals_the_workstation(tmp_path, monkeypatch):
    monkeypatch.setattr("edge_agent.agent.desk.PullRequest", a_pull_of_before_the_field_officer())

    async def law():
        async with loopback_site(tmp_path) as site, Watch(site) as watch:
            seq, token = await a_numbered_scan(site)
            await watch.live()
            assert dict(await watch.client.identify(seq, "asha")) == {token: "MSKU1234565"}
            await watch.until(lambda watch: len(watch.facts) == 2)
            told = watch.facts[1].body.event
            assert (told.code, told.params.get("officer"), told.params["consumer"]) == ("identities-viewed", None, "console-1")

    asyncio.run(law())


def test_another_refusal_of_numbers_is_not_asked_around(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site, Watch(site) as watch:
            seq, _ = await a_numbered_scan(site)
            await watch.live()
            with pytest.raises(MalformedMessage):
                await watch.client.identify(seq, "asha\x07")
            assert dict(watch.client.identities) == {}

    asyncio.run(law())


def test_headquarters_is_shown_no_number_by_default(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site, Watch(site, site.keys.collector) as watch:
            seq, _ = await a_numbered_scan(site)
            await watch.live()
            await watch.client.identify(seq)
            assert dict(watch.client.identities) == {}

    asyncio.run(law())
