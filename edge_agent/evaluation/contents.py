"""Figures of what compares the load with the declaration; mean grey and dark share stand beside each one that brightness could give.

A scan is called divergent when the set says that its load is not what was declared, and empty or loaded as the set says.
"""

from collections.abc import Callable, Mapping, Sequence

from edge_agent.analysis.conclude import EMPTY_FAMILY, HETEROGENEITY
from edge_agent.analysis.ports import DeclaredFamilies
from edge_agent.evaluation.curves import Separation, auc, auc_interval, separation
from edge_agent.evaluation.figure import Figure, bounded, shares
from edge_agent.evaluation.record import LIGHTNESS, Record

Score = Callable[[Record], float]


def declared_score(record: Record) -> float:
    """Give the higher of the two scores that speak against declared goods: unlike them, or empty."""
    scores = record.seen.scores
    return max(scores.get(HETEROGENEITY, 0.0), 0.0 if record.truth.is_declared_empty else scores.get(EMPTY_FAMILY, 0.0))


def _check(name: str) -> Score:
    return lambda record: record.seen.scores.get(name, 0.0)


def empty_score(record: Record) -> float:
    """Give the share of emptiness."""
    return record.seen.scores.get(EMPTY_FAMILY, 0.0)


def separations(records: Sequence[Record]) -> list[Separation]:
    """Give the scores of the three questions in both groups; what an ROC curve is drawn from."""
    return [separation(name, *_scored(score, groups)) for name, groups, score in _questions(records)]


def evaluate_contents(
    records: Sequence[Record], levels: Mapping[str, float], families: Callable[[Sequence[str]], DeclaredFamilies]
) -> list[Figure]:
    """Measure the contents checks. ``levels``: alert levels in force; ``families``: goods families of headings."""
    figures: list[Figure] = []
    for name, groups, score in _questions(records):
        figures += _areas(name, groups, score)
    states = [(record.truth.state, empty_score(record) >= levels[EMPTY_FAMILY]) for record in records if record.truth.state]
    figures += shares("empty against loaded/right at the level in force", ((s == "empty") == said for s, said in states), "scans")
    for state in ("empty", "loaded"):
        figures += shares(f"empty against loaded/{state} seen as empty", (said for s, said in states if s == state), "scans")
    conforming = [record for record in records if record.truth.conforms]
    figures += shares("conforming/alerts", (record.seen.has_alerted for record in conforming), "scans")
    figures += shares("contents/pointing game", _points(records), "scans")
    return figures + shares("contents/product right", _products(conforming, families), "scans")


_Groups = tuple[list[Record], list[Record]]


def _questions(records: Sequence[Record]) -> list[tuple[str, _Groups, Score]]:
    """Give the questions that the set can answer."""
    empty, loaded = ([record for record in records if record.truth.state == state] for state in ("empty", "loaded"))
    conforming = [record for record in loaded if record.truth.conforms]
    asked: list[tuple[str, _Groups, Score]] = [
        ("empty against loaded", (empty, loaded), empty_score),
        ("empty divergent against loaded conforming", (_divergent(empty), conforming), declared_score),
        ("loaded divergent against loaded conforming", (_divergent(loaded), conforming), declared_score),
    ]
    return [one for one in asked if one[1][0] and one[1][1]]


def _divergent(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if record.truth.conforms is False]


def _scored(score: Score, groups: _Groups) -> tuple[list[float], list[float]]:
    return [score(record) for record in groups[0]], [score(record) for record in groups[1]]


def _areas(name: str, groups: _Groups, score: Score) -> list[Figure]:
    rows: dict[str, Score] = {"auc": score}
    if score is declared_score:
        rows["auc of heterogeneity alone"] = _check(HETEROGENEITY)
    rows |= {f"auc of {baseline} alone": value for baseline, value in LIGHTNESS.items()}
    figures = []
    for words, each in rows.items():
        both = separation(name, *_scored(each, groups))
        area = auc(both)
        interval = auc_interval(area, both.guilty.size, both.clean.size)
        figures.append(bounded(f"{name}/{words}", area, interval, {"guilty": both.guilty.size, "clean": both.clean.size}))
    return figures


def _points(records: Sequence[Record]) -> list[bool]:
    """Tell for each scan with a labelled place that nobody declared whether the evidence map is highest in one of them."""
    pointed = []
    for record in records:
        wanted = [box.box for box in record.truth.boxes if box.label not in record.seen.against and not box.is_ignored]
        if wanted and record.seen.peak is not None:
            x, y = record.seen.peak
            pointed.append(any(box.x0 <= x < box.x1 and box.y0 <= y < box.y1 for box in wanted))
    return pointed


def _products(conforming: Sequence[Record], families: Callable[[Sequence[str]], DeclaredFamilies]) -> list[bool]:
    """Tell for each scan whose declaration is true and names goods of one known family whether the load looks most like it."""
    found = []
    for record in conforming:
        if record.truth.is_declared_empty:
            continue
        declared = families(record.truth.declared or ())
        if len(declared.families) == 1 and not declared.unlisted and record.seen.product is not None:
            found.append(record.seen.product == declared.families[0])
    return found
