"""Makes the golden ledger of version 1. Run once, with the code of the release that it stands for on the path; never again.

``python make_ledger.py FOLDER`` writes ``ledger.db`` and ``expected.json``. Randomness is seeded, so a second run writes the same file.
"""

import hashlib
import json
import random
import secrets
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import apsw

from edge_agent.domain.arrival import MetadataRevision, NewRevision
from edge_agent.domain.assessment import BlobRef, FactKind
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import Seq, fact_id
from edge_agent.ledger.ledger import Ledger
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import (
    NOON,
    SITE,
    _entry,
    a_scan_id,
    a_set_aside,
    a_verdict,
    an_acceptance,
    an_arrival,
    an_assessment,
    an_audit,
    assessment_body,
    particulars,
)
from edge_agent.wire.findings import HeterogeneityPart, ProductPart, WeightPart
from edge_agent.wire.handed_over import DeclaredPart, GoodsPart
from edge_agent.wire.messages import CodeParams, ControlBody, FoundPart, HealthBody, IdentityPart, ObstaclePart, ReferralBody

_seeded = random.Random(1)
secrets.token_bytes = _seeded.randbytes
secrets.token_hex = lambda count: _seeded.randbytes(count).hex()


def rich_assessment(scan, identity):
    """An assessment with something in every optional field of its day."""
    return assessment_body(scan, conclusion="unassessable", cause="rich").model_copy(
        update={
            "identities": [IdentityPart(kind=identity.kind, token=identity.token, commitment=identity.commitment)],
            "declared": DeclaredPart(goods=[GoodsPart(hs="0202", description="frozen boneless beef", gross_kg=24000.0)], source="sidecar"),
            "obstacles": [ObstaclePart(code="dark", params={"share": 0.4}, view="side", blocking=True)],
            "findings": [
                HeterogeneityPart(
                    id=0, score=0.7, regions=[(1, 2, 3, 4)], against=["beef"], declared=True, view="top", bundle="contents/0.1.0"
                ),
                ProductPart(id=1, ranked=[("beef", 0.6), ("bananas", 0.3)], view="top", bundle="contents/0.1.0"),
                WeightPart(id=2, mass_kg=21000.0, low_kg=19000.0, high_kg=23000.0, bundle="mass/0.1.0"),
            ],
        }
    )


def common(scan, kind, cause):
    return {
        "fact_id": fact_id(scan or SITE, kind, 1 if scan else 0, cause),
        "site": SITE,
        "scanner": "gate-1" if scan else None,
        "scan_id": scan,
        "revision": 1 if scan else 0,
        "cause": cause,
        "produced_at": NOON,
    }


def fill(ledger, clock):
    """Something in every table, a job in every state, a fact of every kind."""
    ledger.append(an_audit("start"))
    ledger.append(
        _entry(HealthBody(**common(None, "health", "h"), state="degraded", reasons=[CodeParams(code="sandbox-partial")]), FactKind.HEALTH)
    )
    kept, erased = ledger.tokenise(
        [IdentityValue(IdentityClass.CONTAINER, "TEST0000001"), IdentityValue(IdentityClass.CONTAINER, "TEST0000002")]
    )
    ledger.erase([erased.token])
    names = ["plain", "alert", "rich", "broken", "waiting"]
    about = particulars(identifiers=(kept.token,))
    ledger.accept([an_acceptance(an_arrival(name), about=about) for name in names])
    for name in names[:4]:
        clock.advance(1)
        job = ledger.claim(clock.now())
        scan = a_scan_id(name)
        if name == "broken":
            ledger.set_aside(job.job_id, a_set_aside(scan), "unreadable-scan")
        elif name == "rich":
            ledger.complete(
                job.job_id, _entry(rich_assessment(scan, kept), FactKind.ASSESSMENT), [BlobRef("ab" * 32, 1000, "image/png", "heat-map")]
            )
        else:
            ledger.complete(job.job_id, an_assessment(scan, conclusion="alert" if name == "alert" else "no-alert"))
            ledger.mark_packed(job.job_id, f"packages/2026/03/02/{scan}-r1.scan.zip", "cd" * 32)
    alert = a_scan_id("alert")
    ledger.append(a_verdict(alert, cause="11111111-1111-4111-8111-111111111111"))
    ledger.append(
        _entry(
            ControlBody(
                **common(alert, "control", "c"), conclusion="found", found=[FoundPart(what="handgun", quantity="1")], office="customs"
            ),
            FactKind.CONTROL,
        )
    )
    ledger.append(
        _entry(ReferralBody(**common(a_scan_id("plain"), "referral", "r"), reason=CodeParams(code="passed-on")), FactKind.REFERRAL)
    )
    ledger.accept(
        [
            an_acceptance(an_arrival("plain", content="new pixels"), NewRevision(a_scan_id("plain"), 2)),
            an_acceptance(an_arrival("alert", content=None, metadata="m1"), MetadataRevision(alert, 1, 1)),
        ]
    )
    waiting = ledger.claim(clock.now())
    assert waiting.drop_key == "waiting"
    row = ledger.rows(Seq(3), 1, 1 << 20)[0]
    ledger.acknowledge("hq", row.seq, row.hash, clock.now())
    return kept, erased


def expected(ledger, kept, erased):
    head = ledger.head()
    return {
        "site": SITE,
        "epoch": ledger.epoch.hex(),
        "head": {"seq": head.seq, "hash": head.hash.hex(), "first": head.first},
        "rows": [
            {
                "seq": row.seq,
                "topic": row.topic,
                "hash": row.hash.hex(),
                "body_sha256": hashlib.sha256(row.body).hexdigest(),
                "kind": json.loads(row.body)["kind"],
            }
            for row in ledger.rows(Seq(0), 1000, 1 << 30)
        ],
        "counts": asdict(ledger.counts()),
        "quarantined": [item.scan_id for item in ledger.quarantined()],
        "acknowledged": {name: item.seq for name, item in ledger.acknowledged().items()},
        "identities": {kept.token: "TEST0000001", erased.token: None},
        "latest": {name: ledger.latest_assessment(a_scan_id(name)).conclusion for name in ("plain", "alert", "rich")},
        "seen": sorted(ledger.seen("gate-1")),
        "claimed": ["waiting"],
        "waiting_after_recovery": ["waiting", "plain", "alert"],
    }


def main(folder: Path) -> None:
    clock = ManualClock()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ledger.db"
    with closing(Ledger.open(path, SITE, clock)) as ledger:
        told = expected(ledger, *fill(ledger, clock))
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM")
    (folder / "expected.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
