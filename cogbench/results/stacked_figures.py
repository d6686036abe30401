"""What the rows of a stacked board are worth over several oracles: means over families, p-values and differences."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..data.dataset import Array
from ..scoring.chance import ROUNDING, PValue, nested_interval, relabelled_totals
from ..scoring.paired import DRAWS, PairedDifference, nested_difference, random_differences
from ..scoring.ranking import picked_ranks, rank
from ..scoring.skill import ranks_of_pairs, relabelled_rhos, without_effects
from .oracle_families import OracleFamily
from .stacked_rows import StackedRow

Names = frozenset[str]  # of oracles


@dataclass(frozen=True, eq=False)
class StackedFigures:
    """The figures of rows, each row by its place, over the oracles that are named: any part of those that count.

    A figure is the mean over families of the mean over target tasks of the mean over the oracles that have the target.
    """

    families: Sequence[OracleFamily]
    rows: Sequence[StackedRow]
    _relabelled: dict[tuple[int, Names], Array] = field(default_factory=dict)  # computed once

    @cached_property
    def names(self) -> Names:
        """The oracles that count."""
        return frozenset(oracle.name for family in self.families for oracle in family.oracles)

    def common(self, *places: int) -> Names:
        """Return the oracles on which all these rows have a guess."""
        return self.names.intersection(*(self.rows[i].names for i in places))

    def covered(self, names: Names) -> list[OracleFamily]:
        """Return the families that have one of these oracles."""
        return [family for family in self.families if family.places(names)]

    def relative_ranks(self, i: int, names: Names) -> list[Array]:
        """Return the relative ranks of a row's predicted best sources: of each covered family (n_targets,)."""
        over = {name: self._picked[i][name] for name in names}
        means = [family.mean_over_oracles(over) for family in self.covered(names)]
        return [of_targets[np.isfinite(of_targets)] for of_targets in means]

    def interval(self, i: int, names: Names) -> tuple[float, float]:
        """Return the 95 % interval of a row's relative rank; one further target of each family chooses at random."""
        every = [family.choices(names) for family in self.covered(names)]
        further = [
            np.random.default_rng(2 * seed).choice(choices[np.isfinite(choices)], DRAWS)
            for seed, choices in enumerate(every)
        ]
        return nested_interval([*zip(self.relative_ranks(i, names), further, strict=True)])

    def p(self, i: int, names: Names) -> float:
        """Return how often a row's relative rank is as low under other names of its tasks."""
        own = np.mean([of_family.mean() for of_family in self.relative_ranks(i, names)])
        return PValue.counted(self._relabel(i, names) <= own + ROUNDING, exact=self._is_exact).p

    def skill(self, i: int, names: Names) -> tuple[float | None, float | None]:
        """Return a row's skill and its p; None where it is undefined on one of the oracles.

        Result files hold no transfers, but their ranks. So the relabelled skill of several oracles is that by their
        ranks; on one oracle the p is that of the result.
        """
        by_name = {name: self._rho(i, name) for name in names}
        if not names or None in by_name.values():
            return None, None
        of_families = [[f.oracles[place].name for place in f.places(names)] for f in self.covered(names)]
        own = float(np.mean([np.mean([by_name[name] for name in of_family]) for of_family in of_families]))
        if len(names) == 1:
            skill = self.rows[i].skill(next(iter(names)))
            return own, skill.p.p if skill and skill.p else None
        by_family = [np.mean([self._rhos[name][:, i] for name in of_family], axis=0) for of_family in of_families]
        return own, PValue.counted(np.mean(by_family, axis=0) >= own - ROUNDING, exact=self._is_exact).p

    def difference(self, i: int, other: int) -> PairedDifference:
        """Return the relative rank of a row less that of another, over the oracles that both have."""
        names = self.common(i, other)
        pairs = zip(self.relative_ranks(i, names), self.relative_ranks(other, names), strict=True)
        differences = [one - another for one, another in pairs]
        further = []
        for seed, family in enumerate(self.covered(names)):
            rng, choices = np.random.default_rng(2 * seed), family.choices(names).T
            columns = [column[np.isfinite(column)] for column in choices if np.isfinite(column).any()]
            further.append(rng.permutation(random_differences(columns, rng))[:DRAWS])
        relabelled = self._relabel(i, names) - self._relabel(other, names)
        return nested_difference([*zip(differences, further, strict=True)], relabelled, exact=self._is_exact)

    @property
    def _is_exact(self) -> bool:
        return all(relabellings.exact for family in self.families for relabellings in family.of_sources)

    @cached_property
    def _picked(self) -> list[dict[str, Array]]:
        """Of each row, the relative ranks of its predicted best sources by oracle."""
        oracles = [oracle for family in self.families for oracle in family.oracles]
        return [
            {
                oracle.name: picked_ranks(rank(row.guess(oracle), oracle.relative.candidates), oracle.relative)
                for oracle in oracles
                if oracle.name in row.names
            }
            for row in self.rows
        ]

    def _relabel(self, i: int, names: Names) -> Array:
        """Return a row's relative rank under other names of its tasks: (n_draws,)."""
        if (i, names) not in self._relabelled:
            families, total = self.covered(names), np.zeros(1)
            for family in families:
                counts = np.zeros(len(family.targets))  # of the oracles that have a target
                for place in family.places(names):
                    counts[family.columns(place)] += 1
                for place in family.places(names):
                    shares = 1 / (counts[family.columns(place)] * np.count_nonzero(counts) * len(families))
                    true = family.oracles[place].relative
                    guess = self.rows[i].guess(family.oracles[place])
                    weighted = replace(true, ranks=true.ranks * shares)
                    total = total + relabelled_totals(guess, weighted, family.of_sources[place])
            self._relabelled[i, names] = total
        return self._relabelled[i, names]

    @cached_property
    def _rhos(self) -> dict[str, Array]:
        """Of each oracle, the relabelled skill of each row by the oracle's ranks: (n_draws, n_rows), NaN for none."""
        rhos = {}
        for family in self.families:
            for oracle, relabellings in zip(family.oracles, family.of_targets, strict=True):
                skilled = [i for i in range(len(self.rows)) if self._rho(i, oracle.name) is not None]
                rhos[oracle.name] = np.full((len(relabellings.sources), len(self.rows)), np.nan)
                left = without_effects(oracle.oracle.transfers.values)
                if skilled and left.any():
                    truth = np.where(oracle.relative.candidates, left, np.nan)
                    cells = np.stack([ranks_of_pairs(self.rows[i].guess(oracle)) for i in skilled])
                    rhos[oracle.name][:, skilled] = relabelled_rhos(cells, truth, relabellings)
        return rhos

    def _rho(self, i: int, name: str) -> float | None:
        skill = self.rows[i].skill(name)
        return skill.rho if skill else None
