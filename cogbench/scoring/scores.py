"""The scores of a guess, in groups, and the choices that their definitions leave open."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from ..errors import UnusableData
from .chance import PValue
from .skill import Skill

NdcgGain = Literal["rank", "exp_rank", "linear", "linear_minmax", "exp_fraction", "exp_percent"]
Regret = Literal["best", "mean"]
KS, TOP_M = (3, 4, 5), 6  # the k and M of the paper's Table 3


@dataclass(frozen=True)
class TargetScore:
    """One target: the true rank of its predicted best source, and its metric after that, after the best and after none.

    The metrics are in their own unit, and None where they are not known.
    """

    rank: float
    selected: float | None = None
    best: float | None = None
    no_transfer: float | None = None


@dataclass(frozen=True, kw_only=True)
class TRS:
    """The task ranking score (paper, section 4.3), and how it compares with chance.

    Attributes
    ----------
    value : float
        Mean oracle rank of the predicted best source; 1 is perfect.
    chance : float
        Its expectation under random choice.
    p : PValue, optional
        How often the guess has a TRS at least as low when its tasks exchange their names; None in a result of an older
        schema.
    p_independent : float
        The exact probability that sources chosen at random, for each target anew, have a TRS at least as low. It is too
        small for an estimator that prefers the same sources for many targets.
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
    """For each k, the share of the k predicted best sources that are in the oracle's top `m` (paper, Table 3).

    `chance` is the expected share under random choice.
    """

    m: int
    share: dict[str, float]
    chance: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class MeanMetric:
    """Mean over targets of the metric after the predicted best, the truly best and a random source, and without any.

    If the metric without a source is known for some targets, all four are means over these; else over all targets.
    """

    selected: float
    best: float
    random: float
    no_transfer: float | None


@dataclass(frozen=True, kw_only=True)
class Gains:
    """Improvement by transfer, in percent of the metric without transfer, and the share of sources that help.

    Attributes
    ----------
    selected, best, random : float, optional
        Mean gain after the predicted best, the truly best and a random source, over the targets whose metric without
        transfer is above 0; larger is better.
    helping, selected_helping : float, optional
        Share of all pairs of source and target, and of the predicted best sources, with which the target does better
        than without transfer.
    """

    selected: float | None
    best: float | None
    random: float | None
    helping: float | None
    selected_helping: float | None


@dataclass(frozen=True, kw_only=True)
class WholeRanking:
    """How well all sources are ranked, not only the first ones.

    Attributes
    ----------
    rank_of_best : float
        Mean predicted rank of the truly best source (Vu et al. 2020).
    ndcg : dict of str to float
        Normalised discounted cumulative gain at k and over all sources; tied sources get the mean over their orders.
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

    A transfer that was not measured is left out everywhere: of the guess, of the true ranking and of chance.

    Attributes
    ----------
    trs : TRS
        The rank of the predicted best source.
    skill : Skill, optional
        What the guess knows beyond which sources are good in general; None in a result of an older schema.
    top_k : TopK
        The share of the k predicted best sources among the oracle's best.
    metric : MeanMetric
        The mean metric of the targets, in its own unit.
    gains : Gains
        How much better the targets do than without transfer.
    regret : dict of str to float
        For each k, the mean over the targets whose best metric is above 0 of 100 (best - best of the k predicted) /
        best (Lin et al. 2024); or of 100 (mean of the k best - mean of the k predicted) / mean of the k best (Kim et
        al. 2023).
    ranking : WholeRanking, optional
        How well all sources are ranked; None for a guess with an estimate for at most one source of each target.
    resampled : dict of str to float, optional
        The standard deviation of each score over oracles that are resampled from the seeds or standard errors.
    notes : tuple of str
        What was left out of a mean.
    per_target : dict of str to TargetScore
        The score of each target.
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
    ks : sequence of int
        The k of top-k. Regret has them and 1, NDCG has them and all sources.
    top_m : int
        The M of the oracle's top M.
    gain : {"rank", "exp_rank", "linear", "linear_minmax", "exp_fraction", "exp_percent"}
        The gain of a source in NDCG. rank: the number of candidates that are worse. exp_rank: 2 ** rank - 1 (TaskWeb,
        Kim et al. 2023). linear: the metric. linear_minmax: the metric scaled from 0 to 1 for each target.
        exp_fraction: 2 ** metric - 1, the metric as a fraction. exp_percent: the same in percent (Lin et al. 2024).
    regret : {"best", "mean"}
        best: the best of the k predicted sources against the best of all (Lin et al. 2024). mean: the mean of the k
        predicted sources against the mean of the k best (Kim et al. 2023).

    Raises
    ------
    UnusableData
        If there is no k, a k or M is below 1, or the gain or regret is unknown.
    """

    ks: Sequence[int] = KS
    top_m: int = TOP_M
    gain: NdcgGain = "rank"
    regret: Regret = "best"

    def __post_init__(self) -> None:
        if not self.ks or min(*self.ks, self.top_m) < 1:
            raise UnusableData(f"k {', '.join(map(str, self.ks))}, M {self.top_m}: expected whole numbers from 1.")
        for name, value, kinds in (("gain", self.gain, NdcgGain), ("regret", self.regret, Regret)):
            if value not in get_args(kinds):
                raise UnusableData(f"{name} {value!r}: expected one of {', '.join(get_args(kinds))}.")
