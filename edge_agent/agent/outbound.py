"""The site's line to headquarters in outbound mode: what is answered there, to whom, and what it says first."""

from collections.abc import Callable

from edge_agent import __version__
from edge_agent.agent.blob_desk import PictureDesk
from edge_agent.agent.desk import JournalDesk
from edge_agent.domain.clock import Clock
from edge_agent.errors import NotAllowed
from edge_agent.transport.desk import Peer
from edge_agent.transport.keys import Admission, Consumer
from edge_agent.transport.outbound import DealerDesk
from edge_agent.wire.frames import Envelope
from edge_agent.wire.verbs import GREETING_ID, HelloRequest, Verb, content

_PICTURES = frozenset({Verb.BLOB, Verb.PLANES, Verb.TILE})


class Headquarters:
    """Answers over one line what SYNC and BLOB answer over two sockets."""

    def __init__(self, desk: DealerDesk, journal: JournalDesk, pictures: PictureDesk, admission: Admission) -> None:
        self._desk = desk
        self._journal = journal
        self._pictures = pictures
        self._admission = admission

    async def serve(self, tell: Callable[[str], None]) -> None:
        """Serve until cancelled; ``tell`` hears why headquarters is not reached, and an empty text when it is.

        Raises:
            ExceptionGroup: as ``DealerDesk.serve``.
        """
        await self._desk.serve(self._answer, self._greeting, tell)

    async def _answer(self, peer: Peer, request: Envelope) -> Envelope:
        self._admission.admit(peer.consumer.public)  # notes that it was here
        if request.verb in _PICTURES:
            return await self._pictures.answer(peer, request)
        return await self._journal.answer(peer, request)

    async def _greeting(self, peer: Peer) -> Envelope:
        asked = HelloRequest(client="site", build=__version__)
        return await self._journal.answer(peer, Envelope(Verb.HELLO, GREETING_ID, content(asked)))


def who_is(admission: Admission, name: str, clock: Clock) -> Callable[[], Consumer]:
    """Give how the consumer ``name`` is found in the list in force at that moment; NotAllowed when it is not in it, or has expired."""

    def found() -> Consumer:
        for consumer in admission.allowed.consumers:
            if consumer.name == name:
                return admission.allowed.admit(consumer.public, clock.now())
        raise NotAllowed(f"there is no [[consumer]] {name}", {"consumer": name})

    return found
