"""What is known of the published tables beside their figures: who transferred what, in which metric, how often.

A family holds the tables of one publication. Its name is the suite of its oracles, so that a board averages them.
"""

from dataclasses import dataclass, field
from typing import Literal

FIGURES = "figures from a publication"
NO_LICENCE = "none stated; figures from a publication"
UPPER = "the score of a model trained on the target itself is an upper bound and no score without transfer: left out"
XLMR = "XLM-R base"


@dataclass(frozen=True)
class Table:
    """One table of a family: what sets it apart from the others.

    Parameters
    ----------
    name : str
        What the oracle is called.
    backbone : str
        The pre-trained model.
    what : str
        What of the description is its own, such as the task or the number of training examples.
    metric : str
        The metric of each target, where it is another than that of the family.
    note : str
        A caveat of its own.
    sharing : str
        How source and target were combined, where it is another way than that of the family.
    """

    name: str
    backbone: str
    what: str = ""
    metric: str = ""
    note: str = ""
    sharing: str = ""


@dataclass(frozen=True, kw_only=True)
class Family:
    """The tables of one publication.

    Parameters
    ----------
    name : str
        The first author and the year: the suite of its oracles.
    description : str
        What was transferred.
    citation, place : str
        The publication, and where its figures were read.
    licence : str
        That of the figures, as their source states it.
    licensed : bool
        Whether that source states a licence at all.
    metric, other_metrics : str, mapping of str to str
        The metric of the targets, and of those that have another one.
    unit : str
        Of the figures.
    seeds : str
        How many runs a figure stands on, and which error is known.
    tuning, sharing : str
        Which weights moved, and how source and target were combined.
    better : {"higher", "lower"}
        Which figures are better.
    caveats : tuple of str
    tables, sets : tuple of Table
        Its oracles, and its tables of sets of sources.
    """

    name: str
    description: str
    citation: str
    place: str
    licence: str
    licensed: bool = True
    metric: str
    other_metrics: dict[str, str] = field(default_factory=dict)
    unit: str = "in percent"
    seeds: str = "one run a figure"
    tuning: str = "full"
    sharing: str = "sequential"
    better: Literal["higher", "lower"] = "higher"
    caveats: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    sets: tuple[Table, ...] = ()
