"""A reason on the command line: it enters the journal, which holds no free text."""

import argparse

from edge_agent.errors import FreeTextRefused
from edge_agent.wire.messages import CodeParams
from edge_agent.wire.redaction import refuse_free_text


def reason_word(text: str) -> str:
    """Read ``--reason``.

    Raises:
        argparse.ArgumentTypeError: it is not what the journal takes; the text itself, which may name somebody, is not repeated.
    """
    try:
        refuse_free_text([CodeParams(code="reason", params={"reason": text})])
    except FreeTextRefused as problem:
        raise argparse.ArgumentTypeError(
            "one lower-case word, or several joined by dashes, such as court-order: it stays in the journal, so no sentence and no name"
        ) from problem
    return text
