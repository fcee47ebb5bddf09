"""From keys to decisions: nothing is sent by a slip of one finger."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.console.board import ScanRow
from edge_agent.console.client import Decision
from edge_agent.console.dialogue import Again, Dialogue, Page, Quit, chosen_row, keys_in, press


def row(name, conclusion="no-alert", seq=1):
    return ScanRow(name, "gate-1", 1, None, conclusion, True, (), (), "CPU", 0.1, None, False, seq)


ROWS = [row("c", "set-aside", 3), row("b", "alert", 2), row("a", "no-alert", 1)]


def pressed(keys, rows=ROWS, officer="Officer 7", dialogue=None):
    dialogue, actions = dialogue or Dialogue(), []
    for key in keys:
        dialogue, action = press(dialogue, key, rows, officer)
        actions += [action] if action is not None else []
    return dialogue, actions


def test_a_word_reasons_and_enter_make_one_decision():
    _, (decision,) = pressed(["down", "n", "6", "enter"])
    assert (
        decision.scan_id,
        decision.revision,
        decision.conclusion,
        [reason.code for reason in decision.reasons],
    ) == ("b", 1, "not-suspicious", ["documents-checked"])


def test_two_decisions_never_share_their_identity():
    _, (first, second) = pressed(["down", "s", "enter", "s", "enter"])
    assert first.verdict_id != second.verdict_id


def test_against_an_alert_nothing_is_sent_before_a_reason_is_given():
    dialogue, actions = pressed(["down", "n", "enter"])
    assert not actions
    assert "reason" in dialogue.message
    assert dialogue.draft is not None


def test_escape_drops_the_verdict():
    dialogue, actions = pressed(["down", "s", "escape", "enter"])
    assert (dialogue.draft, actions) == (None, [])


def test_a_reason_given_twice_is_taken_back():
    dialogue, _ = pressed(["down", "n", "6", "6"])
    assert dialogue.draft.reasons == ()


def test_a_referral_carries_the_last_reason_only():
    dialogue, _ = pressed(["down", "f", "1", "2"])
    assert len(dialogue.draft.reasons) == 1


def test_the_verdict_stays_with_its_scan_when_newer_ones_arrive_meanwhile():
    dialogue, _ = pressed(["down", "s"])
    _, (decision,) = pressed(["enter"], [row("d", seq=4), *ROWS], dialogue=dialogue)
    assert decision.scan_id == "b"


def test_without_an_officer_no_verdict_begins():
    dialogue, _ = pressed(["down", "s"], officer="")
    assert dialogue.draft is None
    assert "--officer" in dialogue.message


def test_a_scan_set_aside_cannot_be_judged():
    dialogue, _ = pressed(["s"])
    assert dialogue.draft is None


def test_no_scans_no_verdict():
    dialogue, actions = pressed(["up", "down", "s", "enter"], rows=[])
    assert (dialogue.draft, actions) == (None, [])


def test_moving_stays_within_the_rows():
    assert pressed(["down"] * 9)[0].chosen == "a"
    assert pressed(["down"] * 9 + ["up"] * 9)[0].chosen == "c"


def test_a_chosen_scan_that_left_the_board_gives_way_to_the_newest():
    assert chosen_row(Dialogue("gone"), ROWS).scan_id == "c"


def test_quit_and_again_are_actions_only_outside_a_verdict():
    assert [Quit(), Again()] == pressed(["q", "t"])[1]
    assert not pressed(["down", "s", "q", "t"])[1]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [("\x1b[A\x1b[B", ["up", "down"]), ("s\r", ["s", "enter"]), ("\x1b", ["escape"]), ("\x1bOB", ["down"]), ("\x00\x07", [])],
)
def test_what_a_terminal_sends_becomes_keys(sent, expected):
    assert expected == keys_in(sent)


@given(st.lists(st.sampled_from(["up", "down", "s", "n", "r", "f", "1", "9", "0", "t", "x", "escape"]), max_size=30))
def test_no_keys_without_enter_ever_send_a_verdict(keys):
    assert not [action for action in pressed(keys)[1] if isinstance(action, Decision)]


@given(st.text(max_size=40))
def test_any_text_is_read_as_keys(text):
    assert all(len(key) > 1 or key.isprintable() for key in keys_in(text))


def test_who_opens_a_scan_stays_with_it_when_a_newer_one_comes():
    dialogue, actions = pressed(["down", "enter"])
    assert (Page.SCAN, "b", []) == (dialogue.page, dialogue.chosen, actions)
    assert "b" == chosen_row(dialogue, [row("d", seq=4), *ROWS]).scan_id


def test_enter_and_escape_go_back_to_the_list_and_a_page_without_a_scan_is_none():
    assert [pressed(["enter", key])[0].page for key in ("enter", "escape")] == [Page.LIST] * 2
    assert Page.LIST is pressed(["enter"], rows=[])[0].page


def test_looking_sends_nothing_and_another_scan_begins_at_its_top():
    dialogue, actions = pressed(["enter", "v", "m", " ", " ", "b"])
    assert (1, False, 5, []) == (dialogue.view, dialogue.has_heat, dialogue.scroll, actions)
    dialogue, _ = pressed(["down"], dialogue=dialogue)
    assert (0, 0, False) == (dialogue.view, dialogue.scroll, dialogue.has_heat)


def test_help_is_opened_and_closed_by_the_same_key():
    assert [Page.HELP, Page.LIST] == [pressed(keys)[0].page for keys in (["?"], ["?", "?"])]


def test_a_scan_that_was_set_aside_can_only_be_scanned_again_or_referred():
    for word, is_begun in (("s", False), ("n", False), ("r", True), ("f", True)):
        dialogue, _ = pressed([word])
        assert is_begun is (dialogue.draft is not None), word
    assert "nobody saw" in pressed(["s"])[0].message


def test_page_keys_of_a_terminal_scroll():
    assert ["back", " "] == keys_in("\x1b[5~\x1b[6~")
