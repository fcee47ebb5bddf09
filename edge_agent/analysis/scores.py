"""The score of a whole scan by check: what thresholds are set on. Pure."""

from collections.abc import Iterable, Mapping

from edge_agent.analysis.conclude import EMPTY_FAMILY, HETEROGENEITY, WEIGHT, declared_mass_kg, mismatch
from edge_agent.domain.declaration import Declaration
from edge_agent.domain.finding import Detection, Finding, Heterogeneity, ProductGuess, WeightEstimate


def check_scores(findings: Iterable[Finding], declaration: Declaration | None) -> Mapping[str, float]:
    """Give the highest score of each check over all views; a check that has nothing to say is absent.

    ``declaration``: what the load may be compared with. The share of emptiness counts only where goods are declared, and an estimate
    of the mass only where a mass is, as they do for a conclusion.
    """
    declares_goods = declaration is not None and bool(declaration.items) and not declaration.is_empty
    declared_kg = declared_mass_kg(declaration)
    scores: dict[str, float] = {}
    for finding in findings:
        match finding:
            case Detection():
                check, score = finding.label, finding.score
            case Heterogeneity():
                check, score = HETEROGENEITY, finding.score
            case ProductGuess() if declares_goods:
                check, score = EMPTY_FAMILY, dict(finding.ranked).get(EMPTY_FAMILY, 0.0)
            case WeightEstimate() if declared_kg is not None:
                check, score = WEIGHT, mismatch(finding, declared_kg)
            case _:
                continue
        scores[check] = max(score, scores.get(check, 0.0))
    return scores
