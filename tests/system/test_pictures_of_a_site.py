"""What a console sees of a scan that a real daemon took in: previews, heat maps, tiles, a snapshot to begin with; each look on record."""

import asyncio
import hashlib

import cv2
import numpy as np
import pytest

from benchmarks.site import Process
from benchmarks.small_site import SmallSite
from edge_agent.transport.context import open_context
from edge_agent.transport.endpoints import reachable
from edge_agent.transport.keys import load_secret
from edge_agent.transport.link import Retry, SyncLink
from edge_agent.transport.sockets import ClientSecurity
from edge_agent.wire.messages import AssessmentBody, AuditBody, decode

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


async def looked_at(small: SmallSite, body: AssessmentBody, answers: dict[str, object]) -> None:
    security = ClientSecurity(load_secret(small.site.folder / "keys" / "console.key_secret"), small.site.keys["site"].public)
    with open_context() as context:
        sync = SyncLink(context, small.site.endpoint, security, Retry(attempts=10))
        hello = (await sync.request("HELLO", {"client": "test", "build": "0"})).content
        blob = SyncLink(context, reachable(hello["blob"], small.site.endpoint), security, Retry(attempts=10))
        snap = await sync.request("SNAP", {"last": 5})
        answers["snap"] = [decode(row.body).fact_id for row in snap.rows]
        for ref in body.blobs:
            chunk = await blob.request("BLOB", {"sha256": ref.sha256})
            assert hashlib.sha256(chunk.attachment or b"").hexdigest() == ref.sha256
            answers[ref.role.partition(":")[0]] = chunk.attachment
        asked = {"scan_id": body.scan_id, "revision": 1}
        planes = (await blob.request("PLANES", asked)).content["planes"]
        tile = await blob.request("TILE", {**asked, "view": planes[0]["view"], "plane": planes[0]["plane"]}, timeout_s=40)
        answers["tile"] = tile.attachment
        sync.close()
        blob.close()


def picture(png: object) -> np.ndarray:
    assert isinstance(png, bytes)
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED))


def test_a_console_gets_preview_heat_map_and_tile_of_a_scan_and_its_look_is_journalled(small: SmallSite, daemon: Process) -> None:
    small.deliver("scan-1.png", small.scan(1))
    small.wait_for(lambda: bool(small.bodies("assessment")), daemon)
    small.wait_for(lambda: small.packed() == 1, daemon)
    body = small.bodies("assessment")[0]
    assert isinstance(body, AssessmentBody)
    answers: dict[str, object] = {}
    asyncio.run(looked_at(small, body, answers))
    assert answers["snap"] == [body.fact_id]
    assert picture(answers["preview"]).shape == (64, 80)
    assert picture(answers["preview"]).dtype == np.uint8
    tile = picture(answers["tile"])
    assert tile.shape == (64, 80)
    assert tile.dtype == np.uint16
    looks = [one for one in small.bodies("audit") if isinstance(one, AuditBody) and one.event.code == "viewed"]
    hours = {f"{one.produced_at:%Y-%m-%dT%H}" for one in looks}  # a look is journalled once an hour, and a new one may begin meanwhile
    assert [(one.scan_id, one.event.params) for one in looks] == [(body.scan_id, {"workstation": "console", "revision": 1})] * len(hours)
    assert hours != set()
    assert daemon.stop() == 0
