"""What stands on a screen: everything an officer must see, on the smallest terminal, whatever the site says."""

import io
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from edge_agent.console.board import Board
from edge_agent.console.client import LinkState, Phase, SeenFact
from edge_agent.console.coarse import Overlay, Palette
from edge_agent.console.dialogue import Dialogue, Draft, Page
from edge_agent.console.gallery import Shot
from edge_agent.console.painter import Painter
from edge_agent.console.picture import read_png
from edge_agent.console.screen import HELP, Contents, Layout
from edge_agent.domain.ids import Seq
from edge_agent.testing.factories import NOON, a_scan_id, a_set_aside, a_verdict, an_assessment, assessment_body
from edge_agent.testing.sights import preview_png
from edge_agent.testing.window import Grid
from edge_agent.wire.handed_over import DeclaredPart, GoodsPart
from edge_agent.wire.messages import CodeParams, IdentityPart, ObstaclePart, decode

LOW = CodeParams(code="disk-low", params={"free": 0.08})
NUMBER = IdentityPart.model_validate({"kind": "container", "token": "t1", "commitment": "c"})
LIVE = LinkState(Phase.LIVE, "harbour", head=5, seq=5, health="healthy")
SHOT = Shot("top", 2, read_png(preview_png()), Overlay([(0.1, 0.1, 0.5, 0.5)]))


def board_of(*bodies):
    board = Board()
    for seq, body in enumerate(bodies, start=1):
        board.apply(SeenFact(Seq(seq), "t", body, True, NOON))
    return board


def an_alert(name="a", **more):
    return assessment_body(a_scan_id(name), conclusion="alert").model_copy(update=more)


def drawn(contents, width=80, height=24, palette=Palette.BLOCKS):
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system="256")
    return [line.plain for line in Layout(console, palette).lines(contents)]


def contents(rows=(), links=(("harbour", LIVE),), dialogue=None, shot=None, values=None):
    return Contents(links, rows, dialogue or Dialogue(), "O", shot or Shot(), values or {})


BODIES = (an_alert("a"), decode(a_set_aside(a_scan_id("b")).body), decode(an_assessment(a_scan_id("c")).body))


@given(
    st.integers(20, 200), st.integers(10, 60), st.sampled_from(list(Page)), st.integers(0, 3), st.booleans(), st.integers(0, 400),
    st.sampled_from(list(Palette)), st.integers(1, 6),
)  # fmt: skip
def test_the_screen_is_filled_and_never_overfull(width, height, page, scans, drafting, scroll, palette, sites):
    rows = board_of(*BODIES[:scans]).rows
    draft = Draft(rows[0], "suspicious") if drafting and rows else None
    shown = contents(rows, [(str(number), LIVE) for number in range(sites)], Dialogue(page=page, draft=draft, scroll=scroll), SHOT)
    assert height == len(drawn(shown, width, height, palette))


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.LIVE])
def test_a_link_that_is_not_live_says_so_on_the_first_line_before_any_other_site(phase):
    lines = drawn(contents(links=[("a", LIVE), ("b", LinkState(phase, "", health="healthy"))]))
    assert lines[0].startswith("b: ")
    assert phase.value.replace("-", " ").upper() in lines[0].upper()
    assert "was last healthy" in lines[0]
    assert "LIVE" in lines[1]


def test_more_sites_than_fit_are_counted():
    assert "7 sites, 7 of them LIVE" in "\n".join(drawn(contents(links=[(str(n), LIVE) for n in range(7)])))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            LinkState(Phase.LIVE, health="degraded", reasons=(CodeParams(code="disk-low", params={"free": 0.08}),)),
            "only 8 % of the disk is free",
        ),
        (LinkState(Phase.LIVE, durable=False), "takes no scans in"),
        (LinkState(Phase.LIVE, missed=3), "3 older facts were deleted"),
        (LinkState(Phase.LIVE, malformed=2), "2 messages could not be read"),
        (LinkState(Phase.LIVE, clock_offset=timedelta(hours=-1)), "clock is -3600 s"),
    ],
)
def test_what_is_wrong_with_a_site_is_told_below_its_line(state, words):
    assert words in drawn(contents(links=[("a", state)]))[1]


def test_the_chosen_scan_is_always_on_the_list():
    board = board_of(*(an_alert(str(number)) for number in range(60)))
    chosen = a_scan_id("3")
    lines = drawn(contents(board.rows, dialogue=Dialogue(chosen=chosen)))
    assert any(chosen[:8] in line for line in lines[1:10])


def test_the_page_of_a_scan_says_why_declared_found_people_and_provenance():
    goods = GoodsPart(hs="0202", description="frozen beef", gross_kg=24_000, net_kg=23_000, packages=9)
    declared = DeclaredPart(goods=[goods], source="file", link=0.5, link_basis="time", goods_left_out=2)
    dark = ObstaclePart(code="dark", params={"share": 0.3}, view="top", blocking=True)
    assumed = ObstaclePart(code="pitch-assumed")
    body = an_alert(declared=declared, obstacles=[dark, assumed], reasons_left_out=2, findings_left_out=1, identities=[NUMBER])
    board = board_of(body, decode(a_verdict(a_scan_id("a")).body))
    text = "\n".join(drawn(contents(board.rows, dialogue=Dialogue(page=Page.SCAN), values={"t1": "MSKU1234565"}), 100, 50))
    for words in (
        "why: handgun in view", "and 2 more", "blocked: 30 % of the load is too dark to judge (view top)", "note: the scale was fitted",
        "declared: 0202 frozen beef, 24,000 kg gross, 23,000 kg net, 9 packages", "link 0.50 of 1 (by the time only", "found: handgun 0.90",
        "officer: suspicious, r1", "from console-1", "container: MSKU1234565", "model: detector/0.1.0, trained on simulated scans",
        "ran on: CPU (cpu, onnxruntime 1.31.0)", "policy: 000000000000", "took: 12 ms: decode 12",
    ):  # fmt: skip
        assert words in text


def test_a_value_that_this_role_may_not_see_leaves_no_trace():
    body = an_alert(identities=[NUMBER])
    assert "container" not in "\n".join(drawn(contents(board_of(body).rows, dialogue=Dialogue(page=Page.SCAN)), 100, 60))


def test_a_stale_verdict_is_named_stale():
    board = board_of(an_alert(), decode(a_verdict(a_scan_id("a")).body), an_alert(revision=2, fact_id="2"))
    text = "\n".join(drawn(contents(board.rows, dialogue=Dialogue(page=Page.SCAN)), 100, 50))
    assert "is about an older revision: it is stale" in text


def test_control_signs_from_the_wire_never_reach_the_terminal():
    evil = "\x1b[2J\x07\nevil"
    body = an_alert(
        site=evil, scanner=evil, selection=evil, reasons=[CodeParams(code=evil, params={evil: evil})],
        declared=DeclaredPart(goods=[GoodsPart(hs="1", description=evil)], source=evil, link=0.1, link_basis=evil),
    )  # fmt: skip
    link = LinkState(Phase.STALE, evil, health=evil, detail=evil, reasons=(CodeParams(code=evil),))
    for page in (Page.LIST, Page.SCAN):
        shown = contents(board_of(body).rows, [(evil, link)], Dialogue(page=page), Shot(evil, 1, SHOT.picture, note=evil))
        assert all(letter.isprintable() for line in drawn(shown, 120, 50) for letter in line)


def test_the_help_fits_into_eighty_columns_and_the_smallest_screen():
    assert max(map(len, HELP)) <= 80
    assert len(HELP) <= 24 - 3


def test_the_painter_sends_only_lines_that_changed_and_all_of_them_after_a_resize():
    out = io.StringIO()
    console = Console(file=out, width=80, height=24, force_terminal=True, color_system="256")
    painter, layout, grid = Painter(console), Layout(console, Palette.BLOCKS), Grid(80, 24)

    def paint(shown):
        out.seek(0)
        out.truncate()
        lines = layout.lines(shown)
        painter.paint(lines)
        grid.feed(out.getvalue())
        assert [line.plain[: console.width].rstrip() for line in lines] == grid.shown()
        return len(out.getvalue())

    first = contents(board_of(*BODIES).rows, shot=SHOT)
    assert paint(first) > 2000
    assert 0 == paint(first)
    assert 0 < paint(contents(board_of(*BODIES).rows, shot=SHOT, dialogue=Dialogue(message="sent"))) < 60
    paint(contents(board_of(*BODIES).rows, dialogue=Dialogue(page=Page.HELP)))
    console.size = (70, 30)
    grid.resize(70, 30)
    paint(contents())
