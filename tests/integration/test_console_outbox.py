"""The console's outbox: on the disk before it is sent, sent until the site has answered, gone afterwards."""

import asyncio
import uuid
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from edge_agent.console import outbox as outbox_module
from edge_agent.console.outbox import Entered, Outbox
from edge_agent.errors import AnswerUnreadable, DiskLow, MalformedMessage, NotAllowed, PeerFailed, PeerSilent, StateUnusable
from edge_agent.testing.site_journal import NOON, scan_named
from edge_agent.wire.verbs import VerdictRequest

SCAN = scan_named("north", "a")


class ASite:
    """Answers what is sent to it by the next of ``answers``: an error to raise, or a number; the last one stays."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.sent = []

    async def send(self, site, request):
        self.sent.append(request.verdict_id)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer, f"fact-of-{request.verdict_id}"


def a_verdict(officer="amara", name=None):
    name = name or str(uuid.uuid4())
    request = VerdictRequest(
        verdict_id=name, scan_id=SCAN, revision=1, officer=officer, conclusion="suspicious", at=NOON, note="a note <b>", order="blind-first"
    )
    return Entered("verdict", name, "north", officer, SCAN, "suspicious", NOON, request)


@asynccontextmanager
async def running(folder, site, told=None):
    told = [] if told is None else told
    outbox = Outbox(folder / "outbox", site.send, lambda officer, view: told.append((officer, view)))
    outbox.open()
    task = asyncio.create_task(outbox.run())
    try:
        yield outbox
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settled(outbox, state):
    """Wait until the site has answered what amara entered."""
    (view,) = outbox.waiting("amara")
    await outbox._settled(view.id, 60.0)
    assert [one.state for one in outbox.waiting("amara")] == [state]


def files(folder):
    return sorted(path.name for path in (folder / "outbox").iterdir())


def in_loop(law):
    def test(tmp_path):
        asyncio.run(law(tmp_path))

    test.__name__ = law.__name__
    return test


@in_loop
async def test_what_the_site_took_is_saved_and_leaves_the_disk(folder):
    entered = a_verdict()
    async with running(folder, ASite(7)) as outbox:
        view = await outbox.enter(entered, 60.0)
        assert (view.state, view.seq, view.fact_id) == ("saved", 7, f"fact-of-{entered.id}")
        assert outbox.waiting("amara") == []
    assert files(folder) == []


@pytest.mark.parametrize("silence", [PeerSilent("no answer"), PeerFailed("a fault there"), DiskLow("no room there")])
def test_where_the_site_cannot_answer_it_is_sent_until_it_does(tmp_path, silence):
    async def law():
        told, site = [], ASite(silence, 8)
        async with running(tmp_path, site, told) as outbox:
            entered = a_verdict()
            view = await outbox.enter(entered, 0.05)
            assert view.state == "waiting"
            assert files(tmp_path) == [f"{entered.id}.json"]
            assert [one.id for one in outbox.waiting("amara")] == [entered.id]
            async with asyncio.timeout(40):
                while not told:  # noqa: ASYNC110 - the outbox tries again by its own clock
                    await asyncio.sleep(0.02)
            assert [(officer, one.state) for officer, one in told] == [("amara", "saved")]
            assert site.sent == [entered.id, entered.id]

    asyncio.run(law())


@in_loop
async def test_a_later_start_takes_up_what_waited_as_it_was(folder):
    entered = a_verdict()
    async with running(folder, ASite(PeerSilent("no answer"))) as outbox:
        await outbox.enter(entered, 0.05)
    outbox = Outbox(folder / "outbox", ASite(1).send, lambda *_: None)
    outbox.open()
    (kept,) = outbox._waiting.values()
    assert kept == entered
    assert (folder / "outbox").stat().st_mode & 0o077 == 0


@in_loop
async def test_a_refusal_outlives_the_console_without_its_note_until_it_is_entered_anew(folder):
    told, refused = [], a_verdict()
    async with running(folder, ASite(NotAllowed("not for this key")), told) as outbox:
        view = await outbox.enter(refused, 30.0)
        assert (view.state, view.code, view.detail) == ("refused", "not-allowed", "not for this key")
        assert outbox.waiting("amara") == [view]
    assert len(told) == 1
    (file,) = (folder / "outbox").iterdir()
    assert b"a note" not in file.read_bytes()
    site = ASite(9)
    async with running(folder, site) as outbox:
        assert outbox.waiting("amara") == [view]
        assert outbox.waiting("chidi") == []
        assert (await outbox.enter(a_verdict(), 30.0)).state == "saved"
        assert outbox.waiting("amara") == []
    assert refused.id not in site.sent  # what was refused is told, never sent again
    assert files(folder) == []


@in_loop
async def test_a_refusal_that_the_disk_does_not_take_is_sent_again_by_the_next_start(folder):
    def full(folder, name, content):
        raise DiskLow("full", {"errno": 28})

    entered = a_verdict()
    async with running(folder, ASite(PeerSilent("no answer"), NotAllowed("no"))) as outbox:
        await outbox.enter(entered, 0.0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(outbox_module, "put", full)
            await settled(outbox, "refused")
    site = ASite(NotAllowed("no"))
    async with running(folder, site) as outbox:
        await settled(outbox, "refused")
    assert site.sent == [entered.id]


@in_loop
async def test_no_more_refusals_stay_on_the_disk_than_are_told(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox_module, "_MOST_REMEMBERED", 2)
        async with running(folder, ASite(NotAllowed("no"))) as outbox:
            entered = [replace(a_verdict(), scan_id=scan_named("north", str(number))) for number in range(4)]
            for one in entered:
                await outbox.enter(one, 30.0)
            assert {one.id for one in outbox.waiting("amara")} == {one.id for one in entered[2:]}
    assert files(folder) == sorted(f"{one.id}.json" for one in entered[2:])


@in_loop
async def test_an_answer_that_cannot_be_read_is_neither_saved_nor_refused_and_is_asked_for_again(folder):
    told, entered = [], a_verdict()
    site = ASite(AnswerUnreadable("garbled"), AnswerUnreadable("garbled"), 7)
    async with running(folder, site, told) as outbox:
        assert (await outbox.enter(entered, 0.0)).state == "waiting"
        assert (await outbox.enter(entered, 60.0)).state == "saved"
    assert [(one.state, one.code) for _, one in told] == [("waiting", "answer-unreadable"), ("saved", "")]  # told once, not at every try
    assert site.sent == [entered.id] * 3
    assert files(folder) == []


@in_loop
async def test_one_that_is_refused_holds_up_no_other(folder):
    async with running(folder, ASite(NotAllowed("no"), 5)) as outbox:
        states = [(await outbox.enter(a_verdict(), 60.0)).state for _ in range(2)]
    assert states == ["refused", "saved"]


@in_loop
async def test_a_site_that_is_silent_holds_up_no_other(folder):
    class TwoSites(ASite):
        async def send(self, site, request):
            if site == "silent":
                await asyncio.sleep(60)
            return await super().send(site, request)

    async with running(folder, TwoSites(5)) as outbox:
        at_silent = replace(a_verdict(), site="silent")
        assert (await outbox.enter(at_silent, 0.05)).state == "waiting"
        assert (await outbox.enter(a_verdict(), 60.0)).state == "saved"


@in_loop
async def test_another_officer_cannot_take_an_identity_that_is_known(folder):
    entered = a_verdict("amara")
    async with running(folder, ASite(PeerSilent("no answer"), 5)) as outbox:
        await outbox.enter(entered, 0.05)
        with pytest.raises(MalformedMessage):
            await outbox.enter(a_verdict("chidi", entered.id), 0.05)
        assert outbox.waiting("chidi") == []


@in_loop
async def test_what_cannot_be_kept_is_not_sent(folder):
    site = ASite(5)
    async with running(folder, site) as outbox:
        (folder / "outbox").rmdir()
        with pytest.raises(DiskLow):
            await outbox.enter(a_verdict(), 0.5)
        assert outbox.waiting("amara") == []
    assert site.sent == []


@in_loop
async def test_two_words_on_one_scan_reach_the_site_in_their_order_though_the_first_is_not_answered(folder):
    first, second = a_verdict(), a_verdict()
    site = ASite(PeerSilent("no answer"), 8, 9)
    async with running(folder, site) as outbox:
        await asyncio.gather(outbox.enter(first, 0.0), outbox.enter(second, 60.0))
    assert site.sent == [first.id, first.id, second.id]


def test_a_later_start_sends_in_the_order_in_which_it_was_entered(tmp_path):
    async def law():
        entered = [replace(a_verdict(), entered_at=NOON + timedelta(seconds=number)) for number in range(8)]
        async with running(tmp_path, ASite(PeerSilent("no answer"))) as outbox:
            for one in entered:
                await outbox.enter(one, 0.0)
        site = ASite(5)
        async with running(tmp_path, site) as outbox:
            await outbox.enter(entered[-1], 60.0)
        assert site.sent == [one.id for one in entered]

    asyncio.run(law())


@in_loop
async def test_the_same_sent_twice_at_once_is_kept_and_sent_once(folder):
    entered, site = a_verdict(), ASite(5)
    async with running(folder, site) as outbox:
        views = await asyncio.gather(*(outbox.enter(entered, 60.0) for _ in range(8)))
    assert {view.state for view in views} == {"saved"}
    assert site.sent == [entered.id]


@in_loop
async def test_a_file_that_cannot_be_deleted_ends_nothing_and_is_still_saved(folder):
    class Blocking(ASite):
        async def send(self, site, request):
            path = folder / "outbox" / f"{request.verdict_id}.json"
            path.unlink()
            path.mkdir()  # what no unlink takes away
            return await super().send(site, request)

    async with running(folder, Blocking(5)) as outbox:
        assert [(await outbox.enter(a_verdict(), 60.0)).state for _ in range(2)] == ["saved", "saved"]


@in_loop
async def test_what_was_refused_is_told_no_more_once_it_was_entered_anew(folder):
    async with running(folder, ASite(NotAllowed("not for this key"), 5)) as outbox:
        states = [(await outbox.enter(a_verdict(), 60.0)).state for _ in range(2)]
        assert states == ["refused", "saved"]
        assert outbox.waiting("amara") == []


def test_a_folder_that_cannot_be_is_said_at_the_start(tmp_path):
    (tmp_path / "outbox").write_text("a file")
    with pytest.raises(StateUnusable):
        Outbox(tmp_path / "outbox", ASite(5).send, lambda *_: None).open()


def test_neither_name_nor_note_shows_in_a_text_form():
    assert "amara" not in repr(a_verdict())
    assert "a note" not in repr(a_verdict())
