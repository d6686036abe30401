"""The scores of a guess, in groups, and the choices that their definitions leave open."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from ..errors import UnusableData
from .chance import PValue
from .skill import Skill

NdcgGain = Literal["rank", "exp_rank", "linear", "linear_minmax", "exp_fraction", "exp_percent"]
Regret = Literal["best", "mean"]
KS = (3, 4, 5)  # of the paper's Table 3, with its M
TOP_M = 6


@dataclass(frozen=True)
class TargetScore:
    """One target: the true rank of its predicted best source, and its metric after that source, the best and none.

    The metrics are in their own unit, and None where they are not known.
    """

    rank: float
    selected: float | None = None
    best: float | None = None
    no_transfer: float | None = None


@dataclass(frozen=True, kw_only=True)
class TRS:
    """The task ranking score (paper, section 4.3), and what chance has to do with it.

    Attributes
    ----------
    value : float
        Mean oracle rank of the predicted best source; 1 is perfect.
    chance : float
        Its expectation under random choice.
    p : PValue, optional
        How often the guess has a TRS as low under other names of its tasks; None in a result of an older schema.
    p_independent : float
        The exact probability that independent choices have a TRS as low. It is too small for an estimator that
        prefers the same sources for many targets.
    interval : tuple of two floats
        95 % interval over targets, by a Bayesian bootstrap.
    """

    value: float
    chance: float
    p: PValue | None
    p_independent: float
    interval: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class TopK:
    """For each k, the share of the k predicted best sources among the oracle's top `m` (paper, Table 3).

    `chance` has its expectation under random choice.
    """

    m: int
    share: dict[str, float]
    chance: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class MeanMetric:
    """Mean over targets of the metric after the predicted best, the truly best and a random source, and without any.

    All are means over the targets whose metric without a source is known, where it is known for some.
    """

    selected: float
    best: float
    random: float
    no_transfer: float | None


@dataclass(frozen=True, kw_only=True)
class Gains:
    """Gain on no transfer, in percent of the metric without it, and the share of sources that help.

    Attributes
    ----------
    selected, best, random : float, optional
        Mean gain after the predicted best, the truly best and a random source, over the targets whose metric without
        transfer is above 0; larger is better.
    helping, selected_helping : float, optional
        Share of all sources, and of the predicted best ones, after which a target does better than without.
    """

    selected: float | None
    best: float | None
    random: float | None
    helping: float | None
    selected_helping: float | None


@dataclass(frozen=True, kw_only=True)
class WholeRanking:
    """How well all sources are ranked, not the first ones alone.

    Attributes
    ----------
    rank_of_best : float
        Mean predicted rank of the truly best source (Vu et al. 2020).
    ndcg : dict of str to float
        Normalised discounted cumulative gain at k and over all sources; ties count as their expectation.
    ndcg_gain : str
        What finding a source is worth, as in `ScoreOptions`.
    spearman, kendall : float, optional
        Mean over targets of the rank correlation of all sources; Kendall's tau-b.
    """

    rank_of_best: float
    ndcg: dict[str, float | None]
    ndcg_gain: NdcgGain
    spearman: float | None
    kendall: float | None


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How good a ranking is, against an oracle. None where a score is undefined; `notes` says for which targets.

    A transfer that was not measured is no candidate: neither for the guess, nor in the truth, nor in what chance gives.

    Attributes
    ----------
    trs : TRS
        The rank of the predicted best source.
    skill : Skill, optional
        What the guess knows beyond which sources are good; None in a result of an older schema.
    top_k : TopK
        The share of the k predicted best sources among the oracle's best.
    metric : MeanMetric
        The targets' own metrics.
    gains : Gains
        The same, relative to no transfer.
    regret : dict of str to float
        Mean of 100 (best - best of the k predicted) / best, over targets whose best is above 0 (Lin et al. 2024); or
        of 100 (mean of the best k - mean of the k predicted) / mean of the best k (Kim et al. 2023).
    ranking : WholeRanking, optional
        How well all sources are ranked; None for a guess that prefers at most one source of each target.
    resampled : dict of str to float, optional
        The standard deviation of the scores over oracles drawn from this one's seeds or standard errors.
    notes : tuple of str
        What was left out of a mean.
    per_target : dict of str to TargetScore
        What each target's predicted best source is worth.
    """

    trs: TRS
    skill: Skill | None
    top_k: TopK
    metric: MeanMetric
    gains: Gains
    regret: dict[str, float | None]
    ranking: WholeRanking | None
    resampled: dict[str, float] | None
    notes: tuple[str, ...]
    per_target: dict[str, TargetScore]


@dataclass(frozen=True)
class ScoreOptions:
    """The k and M of top-k in top-M, the gain of NDCG, and what regret compares.

    Parameters
    ----------
    ks, top_m : int
        The same k serve regret and NDCG, beside 1 and all.
    gain : {"rank", "exp_rank", "linear", "linear_minmax", "exp_fraction", "exp_percent"}
        Number of candidates less the oracle rank (no unit), or 2 to that number less 1 (TaskWeb, Kim et al. 2023); the
        metric, or that scaled from 0 to 1 for each target; 2 to the metric less 1, as a fraction or, as Lin et al.
        (2024) have it, in percent.
    regret : {"best", "mean"}
        The best of the k predicted sources against the best (Lin et al. 2024), or the mean of both (Kim et al. 2023).

    Raises
    ------
    UnusableData
        If a k, M, gain or regret is none.
    """

    ks: Sequence[int] = KS
    top_m: int = TOP_M
    gain: NdcgGain = "rank"
    regret: Regret = "best"

    def __post_init__(self) -> None:
        if min(*self.ks, self.top_m, len(self.ks)) < 1:
            raise UnusableData(f"k {', '.join(map(str, self.ks))}, M {self.top_m}: expected whole numbers from 1.")
        for name, value, kinds in (("gain", self.gain, NdcgGain), ("regret", self.regret, Regret)):
            if value not in get_args(kinds):
                raise UnusableData(f"{name} {value!r}: expected one of {', '.join(get_args(kinds))}.")
