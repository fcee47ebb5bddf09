"""``journal verify`` over the journals of many sites: one summary, each site's own key, and no two stories of one site."""

import json
from contextlib import closing

import pytest

from edge_agent.cli.main import main
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.ledger.audit import audit_entry
from edge_agent.ledger.ledger import Ledger
from edge_agent.signing.keys import SigningKey
from edge_agent.testing.clock import ManualClock
from edge_agent.wire.chain import JournalRow, link
from edge_agent.wire.export import Segment, heading, row_line
from edge_agent.wire.messages import CodeParams

KEYS = {"north": SigningKey.new("north"), "south": SigningKey.new("south")}


def add(ledger, site, *causes):
    for cause in causes:
        ledger.append(audit_entry(SiteId(site), CodeParams(code="something"), cause, ManualClock().now()))


def a_ledger(folder, site, *causes):
    folder.mkdir(parents=True, exist_ok=True)
    with closing(Ledger.open(folder / "ledger.db", SiteId(site), ManualClock())) as ledger:
        add(ledger, site, *causes)
        ledger.sign_head(KEYS[site])
    return folder


def exported(folder, out):
    assert 0 == main(["journal", "export", "--state-dir", str(folder), "--out", str(out)])
    return out


@pytest.fixture
def journals(tmp_path):
    files = []
    for site in KEYS:
        folder = a_ledger(tmp_path / site, site, *(f"{site} {number}" for number in range(5)))
        files.append(exported(folder, tmp_path / f"{site}.jsonl"))
    return files


def sites_file(folder, **keys):
    tables = "".join(
        f'[[site]]\nid = "{site}"\nendpoint = "tcp://127.0.0.1:9"\ninsecure_loopback_only = true\njournal_key = "{key.public.text}"\n'
        for site, key in keys.items()
    )
    (folder / "collector.toml").write_text(f'archive = "archive.db"\ntimezone = "UTC"\n{tables}')
    return str(folder / "collector.toml")


def verified(capsys, *words):
    capsys.readouterr()
    code = main(["journal", "verify", *map(str, words), "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_journals_of_many_sites_have_one_summary(journals, capsys):
    assert 0 == main(["journal", "verify", *map(str, journals)])
    assert "2 journals of 2 sites: 2 intact, 0 broken" in capsys.readouterr().out


def test_the_first_bad_row_is_named_by_file_and_site(journals, capsys):
    bad = journals[1]
    bad.write_text(bad.read_text().replace("south 3", "south 9"))
    code, findings = verified(capsys, *journals)
    assert 1 == code
    assert [("north", None), ("south", 4)] == [(one["site"], one["bad_seq"]) for one in findings]
    main(["journal", "verify", *map(str, journals)])
    assert "1 intact, 1 broken" in capsys.readouterr().out


def test_each_site_s_own_key_counts_for_its_journals(journals, tmp_path, capsys):
    assert 0 == verified(capsys, *journals, "--sites", sites_file(tmp_path, **KEYS))[0]
    swapped = sites_file(tmp_path, north=KEYS["south"], south=KEYS["south"])
    code, findings = verified(capsys, *journals, "--sites", swapped)
    assert (1, ["head", ""]) == (code, [one["why"] for one in findings])


def test_a_later_copy_of_a_journal_goes_on_with_the_earlier_one(journals, tmp_path, capsys):
    a_ledger(tmp_path / "north", "north", "later")
    later = exported(tmp_path / "north", tmp_path / "later.jsonl")
    assert 0 == verified(capsys, *journals, later, tmp_path / "north" / "ledger.db")[0]


def test_two_journals_of_one_site_that_tell_different_stories_are_both_there_and_one_is_bad(tmp_path, capsys):
    folder = a_ledger(tmp_path / "north", "north", "one", "two")
    first = exported(folder, tmp_path / "first.jsonl")
    with closing(Ledger.open(folder / "ledger.db", SiteId("north"), ManualClock())) as ledger:
        epoch = ledger.epoch
    other = a_forged_export(tmp_path / "other.jsonl", epoch)
    code, findings = verified(capsys, first, other)
    assert 1 == code
    assert [("fork", 2), ("", None)] == [(one["why"], one["bad_seq"]) for one in findings]


def a_forged_export(path, epoch):
    """Write a journal of the same site and epoch with other rows, chained as it should be."""
    lines, before = [heading(Segment(SiteId("north"), epoch, Seq(0), epoch))], epoch
    for number in (1, 2, 3):
        entry = audit_entry(SiteId("north"), CodeParams(code="something"), f"other {number}", ManualClock().now())
        before = link(before, Seq(number), entry.body)
        lines.append(row_line(JournalRow(epoch, Seq(number), Seq(number - 1), entry.topic, entry.body, before)))
    path.write_text("\n".join(lines) + "\n")
    return path
