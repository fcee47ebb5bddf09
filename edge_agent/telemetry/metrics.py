"""Figures for a monitoring system, in Prometheus' text form (version 0.0.4 of its exposition format). Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Sample:
    """One value; ``labels`` tell it from the others of its metric. Labels are codes and site names: bounded in number."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure with its unit in its name; a counter's name ends in ``_total`` and never falls while the process lives."""

    name: str
    kind: Literal["gauge", "counter"]
    meaning: str
    samples: tuple[Sample, ...]


def exposition(metrics: Iterable[Metric]) -> str:
    """Give the text to serve. A metric without samples is left out."""
    return "".join(_text(metric) for metric in metrics if metric.samples)


def _text(metric: Metric) -> str:
    head = f"# HELP {metric.name} {_escaped(metric.meaning)}\n# TYPE {metric.name} {metric.kind}\n"
    return head + "".join(f"{metric.name}{_labels(sample.labels)} {_number(sample.value)}\n" for sample in metric.samples)


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value, quoted=True)}"' for name, value in labels.items()) + "}"


def _escaped(text: str, *, quoted: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quoted else text


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
