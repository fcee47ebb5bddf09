"""Clears the spool of copies that were never registered, long after the crash that left them.

Such a copy is replaced when its drop is taken again. Only where the scanner had deleted the drop meanwhile does it stay; and after an
older ledger was restored it may be the only copy there is, so it is given a week before it goes.
"""

from datetime import timedelta
from functools import partial

from edge_agent.agent.accepting import Intake
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.orphans import unknown_revisions
from edge_agent.telemetry import events

KEPT = timedelta(days=7)


async def sweep_orphans(intake: Intake) -> None:
    """Remove what has lain in the spool for a week and is no accepted scan's."""
    spool, ledger = intake.storage.spool, intake.storage.ledger
    async with intake.registering:  # or a copy might be given its place and registered between the question and the removal
        old = await intake.spool_lane.run(spool.revisions, intake.clock.now() - KEPT)
        orphans = await ledger.call(Ledger.transact, partial(unknown_revisions, revisions=old))
        for scan_id, revision in orphans:
            await intake.spool_lane.run(spool.remove, scan_id, revision)
    if orphans:
        events.orphans_removed(len(orphans))
