"""What the administrator says so that figures can be grouped: countries of origin, and what the machine's classes stand for."""

import re
from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from edge_agent.kpi.figures import NOT_DECLARED, OTHER_ORIGIN

_COUNTRY = re.compile("[A-Z]{2}")
_Words: TypeAlias = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


def _each_once(groups: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    named = [country for countries in groups.values() for country in countries]
    unfit = [country for country in named if _COUNTRY.fullmatch(country) is None]
    if unfit:
        raise ValueError(f"not a country code of two capital letters: {', '.join(sorted(unfit))}")
    if len(set(named)) < len(named):
        raise ValueError("every country may stand in one group only")
    if {NOT_DECLARED, OTHER_ORIGIN} & groups.keys():
        raise ValueError(f"{NOT_DECLARED!r} and {OTHER_ORIGIN!r} are names of our own")
    return groups


OriginGroups: TypeAlias = Annotated[dict[str, _Words], AfterValidator(_each_once)]
"""Countries by group: ISO 3166 codes of two letters, each in one group at most."""
Classes: TypeAlias = dict[str, _Words]
"""Finds (words of the control form) by class of the machine, for classes that are no word of the form."""


def by_country(groups: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Give the group of each country."""
    return {country: group for group, countries in groups.items() for country in countries}


def meanings(classes: Mapping[str, tuple[str, ...]]) -> dict[str, frozenset[str]]:
    """Give the finds that each class stands for."""
    return {label: frozenset(finds) for label, finds in classes.items()}
