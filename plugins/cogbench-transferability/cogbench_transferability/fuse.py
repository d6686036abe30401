"""One ranking of several estimators'."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cogbench import Estimator, Recording, TaskMatrix, UnusableData, hookimpl

from .fusion import fused, refuse_k
from .logme import LogME
from .textemb import TextEmb

if TYPE_CHECKING:
    from cogbench import Evidence


@dataclass(frozen=True)
class Fuse:
    """Reciprocal rank fusion of any estimators.

    Parameters
    ----------
    members : tuple of str or Estimator
        What is fused. A run puts the installed estimators in the place of their names, as in
        `--set fuse.members=cra:taskemb:logme`.
    k : float
        Added to each rank.

    References
    ----------
    Cormack, Clarke & Büttcher (2009), SIGIR.
    """

    members: tuple[Any, ...] = (TextEmb(), LogME())
    k: float = 60
    name: str = "fuse"

    def __post_init__(self) -> None:
        names = [m if isinstance(m, str) else m.name for m in self.members]
        if not names:
            raise UnusableData(f"{self.name}: members is empty; name estimators, as in members=cra:logme.")
        refuse_k(self.name, self.k)

    @property
    def needs(self) -> frozenset[str]:
        """What any of the members asks for."""
        return frozenset().union(*(m.needs for m in self.members if isinstance(m, Estimator)))

    def refuse(self, recording: Recording) -> None:
        """Raise UnusableData for a signal that a member cannot use."""
        for member in self.members:
            if hasattr(member, "refuse"):
                member.refuse(recording)

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the (n_sources, n_targets) sums of reciprocal ranks; NaN where no member gives an estimate."""
        if names := [m for m in self.members if isinstance(m, str)]:
            raise UnusableData(f"{self.name}: {', '.join(names)} are names; outside a run, give the estimators.")
        matrices = [evidence.similarity(member) for member in self.members]
        for member, matrix in zip(self.members, matrices, strict=True):
            if n := int((~matrix.same & (matrix.values != matrix.values)).sum()):
                evidence.note(f"{self.name}: {member.name} gives no estimate for {n} pairs; the others decide there.")
        return replace(matrices[0], values=fused(matrices, self.k))


@hookimpl
def register_estimators() -> Iterable[Estimator]:
    return [Fuse()]
