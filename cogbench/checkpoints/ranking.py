"""Which estimators can rank given checkpoints: what they train, and whether they compare models of several bases."""

from collections.abc import Callable, Sequence

from ..data.files import Files
from ..errors import UnusableData
from ..parts.interfaces import MODELS, Backbone, Estimator
from ..parts.recipe import Task
from .given import NO_BACKBONE, GivenCheckpoint, NoBackbone

LOOKS = MODELS | {"backbone", "backbone-features", "batches", "texts"}  # needs that look at tasks' data or a backbone
OF_ALL_TASKS = {"representations", "models", "transfers"}  # needs of a trained model of each task, targets too


def trains(estimator: Estimator, targets: Sequence[Task], checkpoints: Sequence[GivenCheckpoint]) -> bool:
    """Whether an estimator looks at data or models, so that tasks must suit the backbone.

    Of given checkpoints it trains a target of which it reads a trained model that no checkpoint is.
    """
    if not checkpoints:
        return bool(LOOKS & estimator.needs)
    without_model = {task.name for task in targets} - {given.name for given in checkpoints}
    return bool(without_model and OF_ALL_TASKS & estimator.needs) or "cheap-transfers" in estimator.needs


def check_checkpoints(
    estimator: Estimator,
    backbone: Backbone,
    targets: Sequence[Task],
    checkpoints: Sequence[GivenCheckpoint],
    files: Files,
) -> tuple[str, ...]:
    """Refuse an estimator that cannot rank these checkpoints; return what a reader should know of their bases.

    Raises
    ------
    UnusableData
        If it needs a pre-trained model and none is named, or compares weights or dimensions of models of several bases.
    """
    if not checkpoints:
        return ()
    needs_backbone = {"backbone", "backbone-features"} & estimator.needs or trains(estimator, targets, checkpoints)
    if isinstance(backbone, NoBackbone) and needs_backbone:
        raise UnusableData(f"estimator {estimator.name!r}: {NO_BACKBONE}")
    compared = [given.backbone for given in checkpoints]
    if not isinstance(backbone, NoBackbone) and needs_backbone:
        compared.append(backbone)
    bases = {base_of(one, files) for one in compared}
    return check_bases(estimator, len(bases))


def check_bases(estimator: Estimator, n_bases: int) -> tuple[str, ...]:
    """Refuse an estimator that compares weights or dimensions of models of several bases; return a note on these."""
    if n_bases <= 1:
        return ()
    if getattr(estimator, "one_base", "models" in estimator.needs):
        raise UnusableData(
            f"estimator {estimator.name!r} compares models weight by weight or dimension by dimension, and these are "
            f"of {n_bases} bases (architecture, size or vocabulary): give checkpoints of one base, or take an "
            "estimator of features, such as logme."
        )
    return (f"the checkpoints are of {n_bases} bases: each reads texts with its own tokenizer",)


def base_of(backbone: Backbone, files: Files) -> str:
    """Return what models share whose weights can be compared; a backbone that does not say so has its own."""
    base: Callable[[Files], str] = getattr(backbone, "base", lambda files: backbone.name)
    return base(files)
