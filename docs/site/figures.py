"""Draw the figures of docs/ideas.md from the installed evidence packs; `make picture` writes them anew."""

import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

import cogbench
from cogbench import Array

INK, ACCENT, MUTED = "#1b1c21", "#0b5cad", "#5d616c"
TASKS = ("mini-sst-2", "mini-sts-b", "mini-cola")
STIMULI = 30


def content(name: str) -> Any:
    """Return the opened evidence pack of a name."""
    pack = cogbench.load_parts().packs[name]
    return cogbench.Pack(name=pack.name, file=pack.file, description=pack.description).content()


def rdm(patterns: Array) -> Array:
    """Return 1 less Pearson's r for each two stimuli: (n_stimuli, n_stimuli)."""
    return 1 - np.corrcoef(patterns)


def draw_rdms(pack: Any) -> Figure:
    """Draw the RDMs of two tasks on the same stimuli, and one against the other."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    matrices = [rdm(pack.array("representations", task)) for task in TASKS[:2]]
    for axes, task, matrix in zip((left, middle), TASKS, matrices, strict=False):
        image = axes.imshow(matrix[:STIMULI, :STIMULI], cmap="YlGnBu", vmin=0)
        axes.set(title=f"RDM of {task}", xlabel="stimulus", ylabel="stimulus", xticks=[], yticks=[])
        figure.colorbar(image, ax=axes, shrink=0.75, label="1 - r")
    pairs = np.triu_indices(len(matrices[0]), 1)
    one, other = (matrix[pairs] for matrix in matrices)
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    right.plot(one, other, ".", color=ACCENT, markersize=1, alpha=0.3, rasterized=True)
    right.set(title=f"CRA: cosine {cosine:.2f}", xlabel=TASKS[0], ylabel=TASKS[1])
    return figure


def predicted(patterns: Array, responses: Array) -> Array:
    """Return how well a ridge map predicts each channel of held-out stimuli: 1 - SSE / SST, (n_channels,)."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import KFold, cross_val_predict

    scaled = (patterns - patterns.mean(0)) / (patterns.std(0) + 1e-9)
    guess = cross_val_predict(Ridge(100.0), scaled, responses, cv=KFold(5, shuffle=True, random_state=0))
    return 1 - ((responses - guess) ** 2).sum(0) / ((responses - responses.mean(0)) ** 2).sum(0)


def draw_cnm(pack: Any) -> Figure:
    """Draw how well the models of three tasks predict each channel of the synthetic signal."""
    responses = next(iter(pack.responses.values())).values
    profiles = {task: predicted(pack.array("representations", task).astype(float), responses) for task in TASKS}
    figure = Figure(figsize=(9, 3), layout="constrained")
    axes = figure.subplots()
    order = np.argsort(-profiles[TASKS[0]])
    for task, colour, sign in zip(TASKS, (ACCENT, "#c2571a", MUTED), "os^", strict=True):
        axes.plot(profiles[task][order], sign, color=colour, label=task, markersize=4)
    axes.set(xlabel="channel of the signal (synthetic)", ylabel="how well it is predicted, 1 - SSE/SST")
    axes.legend(frameon=False)
    return figure


def draw_skill(pack: Any) -> Figure:
    """Draw the transfers of an oracle, and what is left without the effects of sources and targets."""
    oracle = pack.oracle
    values = oracle.oriented.values
    spread = np.nanstd(values, axis=0)
    scaled = (values - np.nanmean(values, axis=0)) / spread
    rows = np.nanmean(scaled, axis=1, keepdims=True) * np.where(np.isnan(scaled), np.nan, 1)
    figure = Figure(figsize=(9.5, 4), layout="constrained")
    titles = ("transfers, by target", "effect of the source", "what is left: the pair")
    panels = figure.subplots(1, 3, sharey=True)
    for axes, title, matrix in zip(panels, titles, (scaled, rows, scaled - rows), strict=True):
        image = axes.imshow(matrix, cmap="RdBu", vmin=-2, vmax=2)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("target")
        axes.set_xticks(range(len(oracle.transfers.targets)), oracle.transfers.targets, rotation=90, fontsize=7)
    panels[0].set_ylabel("source")
    panels[0].set_yticks(range(len(oracle.transfers.sources)), oracle.transfers.sources, fontsize=7)
    figure.colorbar(image, ax=panels, shrink=0.6, label="standard deviations of the target")
    return figure


def main(folder: Path) -> None:
    """Write all figures into a folder."""
    synthetic, real = content("mini-minilm-2l"), content("realtext-minilm-2l")
    drawings = {"rdm": draw_rdms(synthetic), "cnm": draw_cnm(synthetic), "skill": draw_skill(real)}
    for name, figure in drawings.items():
        settings: Any = {"svg.fonttype": "none", "svg.hashsalt": name, "text.color": INK}
        with matplotlib.rc_context(settings):
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None}, facecolor="white", dpi=150)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
