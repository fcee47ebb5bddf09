"""Headquarters' collector as a process: one puller a site, one lane for the archive, one line of JSON for every change of state."""

import asyncio
import random
import resource
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass

from edge_agent.collector.archive.store import Archive
from edge_agent.collector.board import Board, Known, StatesFile
from edge_agent.collector.config import CollectorConfig, SiteEntry
from edge_agent.collector.lane import ArchiveLane
from edge_agent.collector.puller import Followed, Link, Pace, SitePuller, SiteState
from edge_agent.collector.submit import OutboxLane, Outgoing, Submitter
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import SiteId
from edge_agent.errors import ConfigInvalid, EdgeAgentError, KeysMissing
from edge_agent.transport.context import open_context
from edge_agent.transport.endpoints import is_loopback
from edge_agent.transport.keys import KeyPair, load_secret, load_server_keys
from edge_agent.transport.link import Retry, SyncLink
from edge_agent.transport.reception import Reception
from edge_agent.transport.sockets import ClientSecurity, Context, InsecureLoopback
from edge_agent.transport.zap import Refusal

_JITTER = random.SystemRandom()
_FILES, _FILES_A_SITE = 256, 8
"""Open files of the process, and of each site at the most: a socket and its monitor, twice while one takes the other's place."""


async def follow(
    followed: Iterable[Followed], archive: Archive, consumer: str, board: Board, pace: Pace, outgoing: Outgoing | None = None
) -> None:
    """Pull every site until cancelled, and send what is ``outgoing``, if anything may be.

    A site that diverges stops alone; any other unexpected end ends all of them.
    """
    lane = ArchiveLane(archive)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(lane.run())
            if outgoing is not None:
                tasks.create_task(Submitter(outgoing, lane).run())
            for each in followed:
                tasks.create_task(SitePuller(each, consumer, lane, board, pace).run(_JITTER.random))
    finally:
        lane.close()


@dataclass(frozen=True, slots=True)
class Links:
    """The ways to all sites. ``reception``: where sites connect by themselves, if any does; it must be served.

    ``speaking``: to each site a way besides the puller's, which is busy waiting for rows; it connects when it is first used.
    """

    followed: Sequence[Followed]
    reception: Reception | None
    speaking: Mapping[SiteId, Link]


def links(config: CollectorConfig, stack: ExitStack, refused: Callable[[Refusal], None]) -> Links:
    """Open a link to every site; ``stack`` closes them. ``refused`` hears of keys that knocked in vain.

    Raises:
        KeysMissing, ConfigInvalid: a key file or an endpoint is not usable.
    """
    context = stack.enter_context(open_context())
    own = load_secret(config.secret_key) if config.secret_key is not None else None
    reception = _reception(config, context, own, refused)
    if reception is not None:
        stack.callback(reception.close)
    followed = []
    speaking: dict[SiteId, Link] = {}
    for entry in config.site:
        if entry.endpoint is not None:
            link, second = (SyncLink(context, entry.endpoint, _security(entry, entry.endpoint, own), Retry(attempts=1)) for _ in range(2))
            stack.callback(link.close)
            stack.callback(second.close)
            followed.append(Followed(entry.site_id, link, entry.believed))
            speaking[entry.site_id] = second
        elif reception is not None:
            followed.append(Followed(entry.site_id, reception.link(entry.site_id), entry.believed))
            speaking[entry.site_id] = reception.link(entry.site_id)
    return Links(followed, reception, speaking)


def _reception(config: CollectorConfig, context: Context, own: KeyPair | None, refused: Callable[[Refusal], None]) -> Reception | None:
    if config.outbound is None or own is None:
        return None
    calling = [entry for entry in config.site if entry.outbound and entry.server_key is not None]
    keys = {key: entry.site_id for entry in calling for key in load_server_keys(entry.server_key or "")}
    return Reception(context, config.outbound.bind, own, keys, refused)


def _security(entry: SiteEntry, endpoint: str, own: KeyPair | None) -> ClientSecurity | InsecureLoopback:
    if entry.server_key is None:
        if not is_loopback(endpoint):
            raise ConfigInvalid(f"site {entry.id}: insecure_loopback_only refuses {endpoint}", {"key": "site.endpoint"})
        return InsecureLoopback()
    if own is None:
        raise KeysMissing(f"no secret_key to show to {entry.id}")
    return ClientSecurity(own, *load_server_keys(entry.server_key))


async def collect(
    config: CollectorConfig,
    clock: Clock,
    tell: Callable[[SiteState], None],
    until_idle_s: float | None,
    refused: Callable[[Refusal], None] = lambda _: None,
) -> Board:
    """Run the collector until SIGTERM or SIGINT, or until no row has come for ``until_idle_s`` seconds.

    While a site is being reached or drained it is not idle, whatever that takes. Gives the last states.

    Raises:
        ConfigError: keys, endpoints or the archive's place are not usable.
        ArchiveBusy, ArchiveDamaged: the archive cannot be opened.
    """
    with ExitStack() as stack:
        _allow_files(len(config.site))
        board = Board([Known.of(entry) for entry in config.site], clock, tell)
        archive = stack.enter_context(Archive.open(config.archive, clock))
        opened = links(config, stack, refused)
        stopped = asyncio.Event()
        with _stopping(stopped):
            outgoing = Outgoing(stack.enter_context(closing(OutboxLane(config.outbox_file, clock))), opened.speaking, clock)
            states = StatesFile(board, config, clock)
            work = asyncio.create_task(_work(opened, archive, config.name, board, states, outgoing))
            end = asyncio.create_task(_end(stopped, board, until_idle_s))
            await asyncio.wait({work, end}, return_when=asyncio.FIRST_COMPLETED)
            work.cancel()
            end.cancel()
            for outcome in await asyncio.gather(work, end, return_exceptions=True):
                if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
                    raise _named(outcome)
        return board


async def _work(opened: Links, archive: Archive, consumer: str, board: Board, states: StatesFile, outgoing: Outgoing) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(states.run())
        if opened.reception is not None:
            tasks.create_task(opened.reception.serve())
        tasks.create_task(follow(opened.followed, archive, consumer, board, pace_for(len(opened.followed)), outgoing))


def pace_for(sites: int) -> Pace:
    """Give the pace for so many sites: many are asked less often whether they are still there, so that all together cost little."""
    return Pace(wait_ms=max(2_000, 20 * sites))


def _allow_files(sites: int) -> None:
    """Raise this process's own limit of open files to what its sockets need.

    Raises:
        ConfigInvalid: the system does not allow so many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = _FILES + _FILES_A_SITE * sites
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise ConfigInvalid(f"{sites} sites need {needed} open files, and the system allows {hard}", {"key": "site"})
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


async def _end(stopped: asyncio.Event, board: Board, until_idle_s: float | None) -> None:
    """Return when told to stop, or when it has been quiet long enough."""
    while until_idle_s is None or board.idle_s < until_idle_s:
        left_s = None if until_idle_s is None else until_idle_s - board.idle_s
        try:
            async with asyncio.timeout(left_s):
                await stopped.wait()
                return
        except TimeoutError:
            continue  # a row may have come meanwhile


@contextmanager
def _stopping(stopped: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stopped.set)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _named(problem: BaseException) -> BaseException:
    """Give the error of ours inside groups of one, which the command line can explain; else the problem as it is."""
    inner = problem
    while isinstance(inner, BaseExceptionGroup) and len(inner.exceptions) == 1:
        inner = inner.exceptions[0]
    return inner if isinstance(inner, EdgeAgentError) else problem


def line(state: SiteState) -> dict[str, str | int]:
    """Give a state as the object of one JSON line."""
    return {key: value for key, value in asdict(state).items() if value != ""}
