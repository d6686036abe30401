"""What the released code does otherwise than the paper says, and what can be shown of it without the data."""

import numpy as np

import cogbench
from cogbench import TaskMatrix

from .markdown import bullets, num, page, paragraph, rank_number, share, table
from .published import OTHER, PLMS, SHOWN, Published, printed_rank

Array = np.ndarray

# What goes wrong: in words of our own, after reading the repository tjunlp-lab/CogTaskonomy (commit c037999).
BUGS = (
    (
        "Rows of CNM",
        "Predictions are written fold by fold in a shuffled order; they are then compared, row by row, with responses "
        "in the order of their file, and the column of sentences that could tell is dropped.",
        "rows are kept by sentence",
    ),
    (
        "Diagonal of the oracle",
        "A task with itself is set to -1 and then ranked among the sources; a source with a metric below -1 falls one "
        "rank too far.",
        "a task is no source for itself: masked",
    ),
    (
        "Search for the best source",
        "It starts at 0 instead of at the first source. A target whose similarities are all 0 or less gets no source, "
        "adds nothing to the sum of ranks, and still counts among the twelve; or it keeps the one that the matrix "
        "before left there.",
        "the true maximum; ties share it; a missing estimate ranks last",
    ),
    (
        "Mean over subjects",
        "For two of the four scores (cosine and distance) the sum over subjects is overwritten instead of added to: "
        "the last subject's matrix, divided by five.",
        "a mean over all subjects and seeds",
    ),
    (
        "Choice of CRA's combination",
        "All combinations are scored on the oracle and the best one is kept: selection on the test.",
        "one combination, fixed before; the others by option, each labelled",
    ),
    (
        "CNM's settings",
        "The entry `bert-base` of the configuration is read whatever model the representations are from.",
        "options of the estimator, the same for all backbones and recorded in each result",
    ),
)

OPEN = (
    ("R2 of a channel", "square of the correlation", "1 - SSE/SST", "1 - SSE/SST; correlation by option"),
    (
        "what is averaged over subjects",
        "models in 3.3, matrices in the appendix",
        "both",
        "matrices; vectors by option",
    ),
    ("voxels", "30,000 in 5.1; not said for Table 1", "500 to 30,000", "at most 30,000, the same for all tasks"),
    ("inner validation", "on a set of 20 %", "3 folds, and 20 % of each fit unused", "3 folds, all rows used"),
    ("CRA's matrices", "dissimilarities", "also 1 - dissimilarity", "dissimilarities"),
    (
        "CRA+CNM",
        "average of scores, scale not said",
        "absent",
        "mean of the similarities as they are; scales by option",
    ),
    ("AHP", "after Taskonomy; counts", "absent", "shares of won examples, clipped, eigenvector"),
    ("undefined similarity", "not said", "0", "no estimate, or 0 with a note (a constant row in CRA)"),
    ("direction of TRS", "source to target", "also the reverse, and the mean", "source to target"),
    ("metric of GLUE tasks", "F1, but for CoLA and STS-B", "absent", "accuracy, which the cells are"),
    ("correlation of matrices", "with or without diagonal: not said", "absent", "without"),
)


def sentinel_ranks(published: Published, plm: str) -> Array:
    """Rank sources as the released code does, a task with itself at -1: (n_sources, n_targets).

    The targets get other names, so that `cogbench.rank` takes the task itself for one source more.
    """
    oracle = published.oracles[plm].transfers
    values = np.where(oracle.same, -1.0, oracle.values)
    return cogbench.rank(TaskMatrix(oracle.sources, tuple(f"{t} as target" for t in oracle.targets), values)).ranks


def searched_from_zero(guess: TaskMatrix, true: TaskMatrix) -> tuple[float, list[str]]:
    """Return the TRS of a search that starts at 0 and divides by all targets, and the targets without a source."""
    ranks, total, without = cogbench.rank(true).ranks, 0.0, []
    for j, target in enumerate(guess.targets):
        column = np.nan_to_num(guess.values[:, j])
        if column.max() > 0:
            total += ranks[int(column.argmax()), j]
        else:
            without.append(target)
    return total / len(guess.targets), without


def section_diagonal(published: Published) -> str:
    """Show the ranks with a sentinel on the diagonal."""
    equal = {}
    for plm, oracle in published.oracles.items():
        true = oracle.transfers
        printed = np.array(
            [[np.nan if s == t else printed_rank(plm, s, t) for t in true.targets] for s in true.sources]
        )
        off = ~true.same
        equal[plm] = [
            int((ranks == printed)[off].sum()) for ranks in (cogbench.rank(true).ranks, sentinel_ranks(published, plm))
        ]
    true = published.oracles["tinybert"].transfers
    j = true.targets.index("sts-b")
    masked, sentinel = cogbench.rank(true).ranks[:, j], sentinel_ranks(published, "tinybert")[:, j]
    order = [i for i in np.argsort(sentinel)]
    body = [
        [
            SHOWN[true.sources[i]],
            "-1 (sentinel)" if true.sources[i] == "sts-b" else num(true.values[i, j]),
            "" if true.sources[i] == "sts-b" else rank_number(masked[i]),
            rank_number(sentinel[i]),
            "" if true.sources[i] == "sts-b" else rank_number(printed_rank("tinybert", true.sources[i], "sts-b")),
        ]
        for i in order
    ]
    n, below = int((~true.same).sum()), int((true.values[:, j] < -1).sum())
    assert equal["bert"][0] == equal["bert"][1]
    return page(
        "### A sentinel on the diagonal",
        paragraph(
            f"""TinyBERT, target STS-B, where {below} sources score below -1. With the sentinel {equal["tinybert"][1]}
            of the {n} printed ranks of Table 7 come out, without it {equal["tinybert"][0]}; in Table 6
            {equal["bert"][1]} either way (the others are the tie of QQP)."""
        ),
        table(["source", "metric", "masked", "with sentinel", "printed"], body),
    )


def section_search(published: Published) -> str:
    """Show what a search from 0 makes of similarities that may be negative."""
    body = []
    for plm, name in PLMS.items():
        other, oracle = published.oracles[OTHER[plm]], published.oracles[plm]
        assert other.no_transfer is not None
        gains = TaskMatrix(other.transfers.sources, other.transfers.targets, other.transfers.values - other.no_transfer)
        lost, without = searched_from_zero(gains, oracle.transfers)
        body.append([name, num(cogbench.score(gains, oracle).scores.trs.value), num(lost), str(len(without))])
    shifted = {
        shift: searched_from_zero(
            TaskMatrix(t.sources, t.targets, shift - cogbench.rank(published.oracles["tinybert"].transfers).ranks), t
        )[0]
        for t in [published.oracles["bert"].transfers]
        for shift in (12, 0)
    }
    return page(
        "### The search that starts at 0",
        paragraph(
            """A guess that may be negative: the gain over no transfer with the other PLM. Its best source is that of
            the other PLM's oracle; a search from 0 leaves targets out and reports a lower, seemingly better TRS."""
        ),
        table(["scored on", "TRS", "TRS as searched from 0", "targets without a source"], body),
        paragraph(
            f"""Adding a constant to all similarities must change nothing. TinyBERT's oracle as 12 less the rank, so
            that all are positive, has TRS {num(shifted[12])} on BERT; as 0 less the rank, so that none is, the search
            reports {num(shifted[0])}, which no choice of sources can reach."""
        ),
    )


TASKS, GROUPS, STIMULI, CHANNELS, SHARED, SEEDS, FOLDS = 12, 4, 120, 100, 3, 5, 5


def simulated(seed: int) -> tuple[Array, Array, Array]:
    """Make up tasks in groups that read different causes of the same responses.

    Returns
    -------
    groups : (n_tasks,); x : (n_tasks, n_stimuli, n_dims); y : (n_stimuli, n_channels)
    """
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(STIMULI, GROUPS * SHARED))
    y = causes @ rng.normal(size=(GROUPS * SHARED, CHANNELS)) + 2 * rng.normal(size=(STIMULI, CHANNELS))
    groups = np.repeat(np.arange(GROUPS), TASKS // GROUPS)
    own = [causes[:, g * SHARED : (g + 1) * SHARED] for g in groups]
    x = np.stack([np.hstack([c + rng.normal(size=c.shape), rng.normal(size=c.shape)]) for c in own])
    return groups, x, y


def predictions(x: Array, y: Array, order: Array) -> Array:
    """Predict each fold by ridge regression on the others; rows as the folds come: (n_stimuli, n_channels)."""
    folds = []
    for test in np.array_split(order, FOLDS):
        train = np.setdiff1d(order, test)
        seen, unseen = (np.column_stack([np.ones(len(i)), x[i]]) for i in (train, test))
        folds.append(unseen @ np.linalg.solve(seen.T @ seen + np.eye(seen.shape[1]), seen.T @ y[train]))
    return np.concatenate(folds)


def r_squared(truth: Array, predicted: Array) -> Array:
    """1 - SSE/SST of each channel: (n_channels,)."""
    return 1 - np.square(truth - predicted).sum(axis=0) / np.square(truth - truth.mean(axis=0)).sum(axis=0)


def correlation(truth: Array, predicted: Array) -> Array:
    """Pearson's correlation of each channel: (n_channels,)."""
    a, b = truth - truth.mean(axis=0), predicted - predicted.mean(axis=0)
    return (a * b).sum(axis=0) / np.sqrt(np.square(a).sum(axis=0) * np.square(b).sum(axis=0))


def misaligned() -> dict[tuple[str, str], tuple[float, float, float, float]]:
    """Return mean score, mean and sd of the cosines, share of tasks whose most similar one is of their group."""
    measures: dict[tuple[str, str], list[tuple[float, float, float, float]]] = {}
    for seed in range(SEEDS):
        groups, x, y = simulated(seed)
        order = np.random.default_rng(seed).permutation(len(y))
        predicted = [predictions(each, y, order) for each in x]
        for rows, truth in (("by sentence", y[order]), ("as released", y)):
            for name, score in (("R2", r_squared), ("rho", correlation)):
                vectors = np.stack([score(truth, p) for p in predicted])  # (n_tasks, n_channels)
                unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
                matrix = TaskMatrix.square(map(str, range(TASKS)), unit @ unit.T)
                off = matrix.values[~matrix.same]
                best = cogbench.rank(matrix).picks(1).argmax(axis=0)
                share_ = float((groups[best] == groups).mean())
                each = (float(vectors.mean()), float(off.mean()), float(off.std()), share_)
                measures.setdefault((name, rows), []).append(each)
    return {key: tuple(np.mean(values, axis=0).tolist()) for key, values in measures.items()}  # type: ignore[misc]


def section_rows() -> str:
    """Show what misaligned rows do to CNM, on made-up data."""
    body = [
        [name, rows, num(score), num(mean), num(sd), share(group, 2)]
        for (name, rows), (score, mean, sd, group) in sorted(misaligned().items())
    ]
    chance = (TASKS // GROUPS - 1) / (TASKS - 1)
    return page(
        "### The rows of CNM (synthetic)",
        paragraph(
            f"""Made-up data, which say nothing about language or brains: {TASKS} tasks in {GROUPS} groups, each group
            reading other causes of the responses of {CHANNELS} channels to {STIMULI} stimuli; ridge regression in place
            of the network, {FOLDS} folds, mean of {SEEDS} seeds. *Group*: how often a task's most similar one is of its
            own group (chance {share(chance, 2)})."""
        ),
        table(["score", "rows", "mean score", "mean cosine", "sd of cosines", "group"], body),
        paragraph(
            """With the rows mixed up the scores no longer say how well a channel is predicted: the correlation is noise
            around 0, and R2 about minus the variance of the predictions, so that the cosines of R2 are higher and
            closer together. The most similar task can survive all the same: tasks with similar predictions vary on the
            same channels, and are wrong in the same way. A good TRS is therefore no proof that the rows were right.
            Whether the published numbers were computed so is unknown: files may have been sorted outside of the
            repository."""
        ),
    )


def section_released(published: Published) -> str:
    """Write the differences, then the demonstrations."""
    slips = [
        "Table 5: the caption names NER, RE and PR, the rows are NER, QA and RE.",
        "TRS on BERT and on TinyBERT are compared with each other; they are ranks in two different oracles.",
    ]
    return page(
        "## What the released code does otherwise",
        paragraph(
            """Read in the repository `tjunlp-lab/CogTaskonomy`. Its scripts cannot run as they are: names without a
            definition, a misspelt module of scikit-learn, a package `handlers` that is not there; nothing is published
            for AHP, CRA+CNM, fine-tuning, or the choice and scaling of voxels. So what follows may have been
            different when the paper's numbers were made."""
        ),
        paragraph("**Bugs.** Shown here and offered nowhere: no option of cogbench brings them back."),
        bullets(f"**{what}.** {code} cogbench: {ours}." for what, code, ours in BUGS),
        paragraph("**Open or contradictory.** Where paper, code and good sense leave a choice:"),
        table(["what", "paper", "released code", "cogbench"], OPEN),
        paragraph("**Slips** without consequence for the numbers:"),
        bullets(slips),
        section_diagonal(published),
        section_search(published),
        section_rows(),
    )
