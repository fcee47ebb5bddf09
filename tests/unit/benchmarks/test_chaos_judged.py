"""The judge of the chaos run names every kind of breach, and none where all is well."""

from dataclasses import replace

import pytest

from benchmarks.chaos_books import Books, breaches, histogram
from benchmarks.chaos_stage import FILTERED, HANGING, LATE, WATCHED_BY_FILTERED
from benchmarks.chaos_workers import resume, scan_of
from edge_agent.testing.site_journal import SiteJournal
from edge_agent.wire.messages import decode

SITE, SCANS = "north", 7


def lines_of(rows, start=0):
    facts = [{"at": 1.0, "seq": row.seq, "topic": row.topic, "fact": decode(row.body).fact_id} for row in rows]
    return [{"at": 0.5, "start": start}, *facts]


def good_books():
    journal = SiteJournal(SITE)
    journal.add(*(scan_of(SITE, number) for number in range(1, SCANS + 1)))
    rows = journal.rows
    filtered = [row for row in rows if row.topic.split("/")[2] in WATCHED_BY_FILTERED]
    late = [*lines_of(rows[:4]), *lines_of(rows[4:], start=4)]  # two lives
    consoles = {LATE: late, HANGING: lines_of(rows), FILTERED: lines_of(filtered)}
    return Books(SITE, rows, None, len(rows), lines_of(rows)[1:], rows, consoles)


def with_console(console, change):
    books = good_books()
    lines = list(books.consoles[console])
    change(lines)
    return replace(books, consoles={**books.consoles, console: lines})


def test_where_all_is_well_nothing_is_named() -> None:
    assert list(breaches(good_books())) == []


@pytest.mark.parametrize("console", [LATE, FILTERED])
@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines.pop(),
        lambda lines: lines.pop(2),
        lambda lines: lines.append(lines[-1]),
        lambda lines: lines.insert(1, lines.pop(4)),
        lambda lines: lines.append({"at": 2.0, "phase": "diverged"}),
        lambda lines: lines.append({"at": 2.0, "phase": "live", "missed": 3}),
    ],
    ids=["last-lost", "one-lost", "twice", "out-of-order", "diverged", "missed"],
)
def test_a_console_that_was_handed_something_else_is_named(console, change) -> None:
    assert any(what.startswith(f"{console} at {SITE}") for what in breaches(with_console(console, change)))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda books: replace(books, archived=books.archived[:-1]), "byte for byte"),
        (lambda books: replace(books, archived=[*books.archived[:-1], replace(books.archived[-1], body=b"{}")]), "byte for byte"),
        (lambda books: replace(books, acknowledged=len(books.journal) + 1), "acknowledged"),
        (lambda books: replace(books, first_broken=3), "chain"),
        (lambda books: replace(books, committed=[{"seq": 99, "fact": "gone"}]), "committed"),
    ],
    ids=["archive-short", "archive-altered", "acknowledged-too-much", "chain", "commit-lost"],
)
def test_a_breach_of_the_books_is_named(change, word) -> None:
    assert any(word in what for what in breaches(change(good_books())))


def test_an_alert_without_its_verdict_is_named() -> None:
    journal = SiteJournal(SITE)
    journal.add(scan_of(SITE, 0))
    rows = journal.rows
    books = Books(SITE, rows, None, 1, lines_of(rows)[1:], rows, {})
    assert [f"{SITE}: each alert has one verdict"] == list(breaches(books))


def test_a_console_of_several_topics_goes_on_behind_the_slowest_and_one_of_all_behind_the_last() -> None:
    lines = [{"seq": 3, "topic": "a"}, {"seq": 5, "topic": "b"}, {"seq": 9, "topic": "a"}]
    assert (resume(lines, 2), resume(lines, 0), resume(lines[:1], 2), resume([], 0)) == (5, 9, 0, 0)


def test_a_histogram_counts_what_never_came_too() -> None:
    assert histogram([0.2, 0.4, 2.6, float("inf")]) == {"0.5": 2, "3.0": 1, "inf": 1}
