"""The conclusion that holds now for one scan, computed from all its facts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias, TypeVar

from edge_agent.domain.assessment import (
    Assessment,
    ControlOutcome,
    ControlResult,
    MachineAssessment,
    MachineConclusion,
    OfficerConclusion,
    Referral,
    Verdict,
)
from edge_agent.domain.ids import FactId

Conclusion: TypeAlias = MachineConclusion | OfficerConclusion | ControlOutcome


class Voice(StrEnum):
    """Whose conclusion stands, strongest first."""

    EXAMINATION = "examination"
    SUPERVISOR = "supervisor"
    ANALYST = "analyst"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for a scan now.

    ``is_stale``: an officer decided it, and the machine has judged newer pixels or particulars since. ``is_disputed``: offices differ
    about the examination, so ``conclusion`` (the last one's) counts in no hit rate. ``is_referred``: passed on, and no assessor but the
    machine has spoken since.
    """

    conclusion: Conclusion
    voice: Voice
    fact_id: FactId
    is_stale: bool = False
    is_disputed: bool = False
    is_referred: bool = False

    @property
    def is_guilty(self) -> bool | None:
        """Say whether people found something or suspect it, or found nothing; None when they have not said, differ, or saw older pixels."""
        if self.is_disputed or self.is_stale:
            return None
        return _GUILTY.get(self.conclusion)


_GUILTY: Mapping[Conclusion, bool] = {
    ControlOutcome.FOUND: True,
    OfficerConclusion.SUSPICIOUS: True,
    ControlOutcome.NOTHING_FOUND: False,
    OfficerConclusion.NOT_SUSPICIOUS: False,
}


class ByOffice(Protocol):
    """Something that an office says."""

    @property
    def office(self) -> str: ...


_Said = TypeVar("_Said", bound=ByOffice)


def in_force(said: Sequence[_Said]) -> list[_Said]:
    """Give the newest word of each office, in the order in which these were said: an office's later word corrects its own earlier one."""
    newest = {one.office: one for one in said}
    return [one for one in said if newest[one.office] is one]


def standing(facts: Iterable[Assessment | Referral]) -> Standing | None:
    """Give the standing of one scan from its facts in the order of the site's journal; None when nobody has judged it.

    Examination before supervisor before analyst before machine; within a voice the last one, where the machine's last word is the
    one on the highest revision. An examination that did not take place says nothing. One office's later result takes the place of its
    own earlier one, so only different offices can dispute.
    """
    story = [fact for fact in facts if not (isinstance(fact, ControlResult) and fact.outcome is ControlOutcome.NOT_EXAMINED)]
    examinations = in_force([fact for fact in story if isinstance(fact, ControlResult)])
    referred = _is_referred(story)
    if examinations:
        last = examinations[-1]
        disputed = len({examination.outcome for examination in examinations}) > 1
        return Standing(last.outcome, Voice.EXAMINATION, last.fact.fact_id, is_disputed=disputed, is_referred=referred)
    verdict = _verdict(story)
    if verdict is not None:
        voice = Voice.SUPERVISOR if verdict.is_supervisor else Voice.ANALYST
        return Standing(verdict.conclusion, voice, verdict.fact.fact_id, is_stale=_is_stale(verdict, story), is_referred=referred)
    machine = _machine(story)
    return None if machine is None else Standing(machine.conclusion, Voice.MACHINE, machine.fact.fact_id, is_referred=referred)


def _verdict(story: Sequence[Assessment | Referral]) -> Verdict | None:
    verdicts = [fact for fact in story if isinstance(fact, Verdict)]
    candidates = [verdict for verdict in verdicts if verdict.is_supervisor] or verdicts
    return candidates[-1] if candidates else None


def _machine(story: Sequence[Assessment | Referral]) -> MachineAssessment | None:
    judged = [(fact.fact.revision, place, fact) for place, fact in enumerate(story) if isinstance(fact, MachineAssessment)]
    return max(judged, key=lambda item: item[:2])[2] if judged else None


def _is_stale(verdict: Verdict, story: Sequence[Assessment | Referral]) -> bool:
    """Tell whether the machine judged something newer than what the officer saw: more pixels, or the same ones declared anew."""
    machine = _machine(story)
    if machine is None:
        return False
    came_before = story.index(verdict) < story.index(machine)
    return verdict.fact.revision < machine.fact.revision or (verdict.fact.revision == machine.fact.revision and came_before)


def _is_referred(story: Sequence[Assessment | Referral]) -> bool:
    """Tell whether the last thing that people said about the scan was to pass it on."""
    spoken = [fact for fact in story if not isinstance(fact, MachineAssessment)]
    return bool(spoken) and isinstance(spoken[-1], Referral)
