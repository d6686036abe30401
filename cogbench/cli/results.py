"""The commands that read results and guesses, and compute nothing: score, compare, leaderboard, report, tree."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UnknownName
from . import options as option
from .commands import command, say
from .options import as_text, complete, print_json, say_wrote

if TYPE_CHECKING:
    from ..data.score_tables import TableReading

PAGE = (".html", ".htm")
GAINS = ("rank", "exp_rank", "linear", "linear_minmax", "exp_fraction", "exp_percent")


@command(
    "score",
    short_help="Score anybody's guess by an oracle.",
    examples=(
        "cogbench score guess.csv --oracle cogtaskonomy-bert",
        "cogbench score guess.csv --oracle published --name mine --out results",
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--oracle",
    "oracles",
    required=True,
    multiple=True,
    metavar="NAME[,NAME…]",
    shell_complete=complete("oracle"),
    help="What the guess is scored against: names from `cogbench list oracles`, a table FILE.csv, a family such as "
    "taskweb, or `published`.",
)
@option.oracle_reading
@option.guess_reading
@option.tasks
@option.ks
@option.top_m
@click.option("--gain", type=click.Choice(GAINS), default="rank", show_default=True, help="Of NDCG.")
@click.option(
    "--regret",
    type=click.Choice(["best", "mean"]),
    default="best",
    show_default=True,
    help="The best of the k predicted sources against the best, or their mean against the mean of the best k.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Write a result, or a guess as a result of its own, scored by this oracle, into this folder.",
)
@click.option("--name", default=None, help="What boards call a guess.  [default: the name of its file]")
@click.option("--origin", default=None, metavar="TEXT", help="Where a guess is published, for its result.")
@option.format_()
@click.pass_context
def score(
    context: click.Context,
    file: Path,
    oracles: tuple[str, ...],
    reading: "TableReading",
    guess_reading: "TableReading",
    out: Path | None,
    name: str | None,
    origin: str | None,
    format: str,
    **how: Any,
) -> None:
    """Score anybody's guess by an oracle.

    FILE is a matrix of similarities (csv, tsv, json or parquet: a first column `source` and a column for each target,
    or the columns `source,target,score`), a selection (columns `target,source`), or a result of cogbench. With --out it
    is written as a run against this oracle would write it, for a leaderboard; nothing is computed anew. On several
    oracles FILE may be a folder with a file for each, called like the oracle.
    """
    from ..data.oracle_files import refuse_reading
    from ..parts.oracle_names import oracle_names
    from ..parts.registry import load_parts
    from ..results.guess import read_guess, rescore, score
    from ..results.plain import plain
    from ..results.published import published_result, results_on_oracles
    from ..results.result import Result
    from ..storage.atomic import writable
    from ..views.card import render_results
    from ..views.formats import render_tables
    from ..views.rows import score_notes, score_tables

    names = oracle_names(load_parts(), oracles)
    several = len(names) > 1 or file.is_dir()
    if out is not None or several:
        usual = click.core.ParameterSource.DEFAULT
        if any(context.get_parameter_source(name) != usual for name in how):
            raise click.UsageError(
                "--out writes a result as `run` does, and so do several oracles: leave out --tasks, -k, --top-m, "
                "--gain and --regret."
            )
    if several:
        for oracle in names:
            refuse_reading(reading, oracle)
        results, lines = results_on_oracles(file, names, name=name, origin=origin, guess_reading=guess_reading)
        for line in lines:
            say(line)
        click.echo(render_results(results, format))
        if out is not None:
            writable(out)
            say_wrote(*(scored.save(out) for scored in results))
        return
    (oracle,) = names
    if out is not None:
        guess, _ = read_guess(file, guess_reading)
        if isinstance(guess, Result):
            result = rescore(guess, oracle, reading=reading)
        else:
            result = published_result(
                guess, oracle, estimator=name or file.stem, origin=origin or file.name, reading=reading
            )
        writable(out)
        click.echo(render_results([result], format))
        say_wrote(result.save(out))
        return
    scored = score(file, oracle, name=name, reading=reading, guess_reading=guess_reading, **how)
    if format == "json":
        print_json(plain(scored))
    else:
        click.echo(render_tables(score_tables(scored), format, score_notes(scored)))


@command(
    "compare",
    short_help="Say how two results differ, or two oracles.",
    examples=(
        "cogbench compare results/one.json results/other.json",
        "cogbench compare cogtaskonomy-bert cogtaskonomy-tinybert",
    ),
)
@click.argument("results", metavar="RESULT…|ORACLE…", nargs=-1, required=True, shell_complete=complete("oracle"))
@option.ks
@option.top_m
@option.format_()
def compare(results: tuple[str, ...], format: str, **how: Any) -> None:
    """Say how results differ, or how oracles do.

    RESULT is a file: which of them is better and how surely, how alike their matrices and seeds are, and their rankings
    under each other's oracle. ORACLE is a name, a file or a family, and there are two or more oracles: how far they
    agree and, where they were measured with other numbers of examples, what sources gain and from which number of
    target examples on transfer stops paying.
    """
    from ..oracles.comparison import OracleComparison
    from ..results.comparison import compare
    from ..results.plain import plain
    from ..views.comparison import comparison_tables, oracle_comparison_notes, oracle_comparison_tables
    from ..views.formats import render_tables

    comparison = compare(*results, **how)
    if format == "json":
        print_json(plain(comparison))
    elif isinstance(comparison, OracleComparison):
        click.echo(render_tables(oracle_comparison_tables(comparison), format, oracle_comparison_notes(comparison)))
    else:
        click.echo(render_tables(comparison_tables(comparison), format, comparison.notes))


@command(
    "leaderboard",
    short_help="Rank the results in folders.",
    examples=(
        "cogbench leaderboard results --sort skill",
        "cogbench leaderboard results --stacked --out board.html",
    ),
)
@click.argument("places", metavar="[DIR|RESULT]…", nargs=-1, type=click.Path(path_type=Path))
@click.option("--sort", default="trs", show_default=True, help="A score that the table shows, such as p or top-3.")
@click.option(
    "--oracle",
    "oracles",
    multiple=True,
    callback=option.several,
    metavar="NAME[,NAME…]",
    shell_complete=complete("oracle"),
    help="Only results on these oracles, or on those of a family such as taskweb, or `published`; may be given several "
    "times.",
)
@click.option("--stacked", is_flag=True, help="One table over all oracles, a row for each estimator.")
@click.option("--synthetic", is_flag=True, help="With --stacked: count oracles of synthetic tasks too.")
@option.format_("html")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write a file instead.")
@click.option("--title", default="", metavar="TEXT", help="The title of the page.  [default: Leaderboard]")
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    metavar="DIR",
    help="Write the report of each result into this folder, and link the rows of the page to them.",
)
@click.pass_context
def leaderboard(
    context: click.Context,
    places: tuple[Path, ...],
    sort: str,
    oracles: tuple[str, ...],
    stacked: bool,
    synthetic: bool,
    format: str,
    out: Path | None,
    title: str,
    reports: Path | None,
) -> None:
    """Rank the results in folders (by default `results`); what may not be compared stands in separate tables.

    With --stacked there is one table over all oracles, sorted by the relative rank; oracles that share target tasks are
    averaged first. As html it stands above the others.

    The page has a search, filters and downloads. With --reports its rows link to the reports of their results; on the
    table over all oracles, the figures of each oracle do.
    """
    from ..results.leaderboard import leaderboard, read_result_files
    from ..results.plain import plain
    from ..results.stacked_board import stacked_board
    from ..storage.atomic import save_text, writable
    from ..views.formats import render_tables
    from ..views.leaderboard import board_notes, board_tables, render_leaderboard
    from ..views.pages import board_page, save_reports
    from ..views.stacked import render_stacked, stacked_notes, stacked_tables

    is_page = format == "html" or (format == "table" and out is not None and out.suffix.lower() in PAGE)
    if stacked and not is_page and context.get_parameter_source("sort") != click.core.ParameterSource.DEFAULT:
        raise click.UsageError("--stacked is sorted by the relative rank over all oracles: leave out --sort.")
    if synthetic and not stacked:
        raise click.UsageError("--synthetic says what a stacked board counts: add --stacked.")
    if (title or reports) and not is_page:
        raise click.UsageError("--title and --reports are of a page: add --out FILE.html.")
    if reports and out is None:
        raise click.UsageError("--reports needs a page that links to them: add --out FILE.html.")
    context.with_resource(_without_garbage_collection())
    results, skipped = read_result_files(places or (Path("results"),))
    for line in skipped:
        say(line)
    if oracles:
        # The family of a result's oracle is its suite, whether the oracle is installed here or not.
        groups = [
            {r.oracle.name, r.suite, *(["published"] * (r.oracle.basis == "published"))} for r in results if r.oracle
        ]
        if unknown := [name for name in oracles if name not in {word for group in groups for word in group}]:
            names = {word for group in groups for word in group}
            raise UnknownName.of("oracle", unknown[0], names, label="The results have")
        with_oracle = [result for result in results if result.oracle]
        results = [result for result, group in zip(with_oracle, groups, strict=True) if group & {*oracles}]
    over_all = stacked_board(results, synthetic=synthetic) if stacked else None
    boards = leaderboard(results, sort) if is_page or not stacked else []
    if is_page:
        addresses: dict[str, str] = {}
        if reports and out:
            writable(out.parent)
            say(f"writing reports into {reports}")
            addresses, lines = save_reports(results, reports, out, title)
            for line in lines:
                say(line)
            say(f"wrote {len(addresses)} reports into {reports}")
        text = board_page(boards, sort, stacked=over_all, title=title, reports=addresses)
    elif over_all is not None:
        if format == "json":
            text = as_text(plain(over_all))
        elif format == "table":
            text = render_stacked(over_all)
        else:
            text = render_tables(stacked_tables(over_all, format), format, stacked_notes(over_all))
    elif format == "json":
        text = as_text([plain(board) for board in boards])
    elif format == "table":
        text = render_leaderboard(boards)
    else:
        text = render_tables(board_tables(boards), format, board_notes(boards))
    if out is None:
        click.echo(text)
    else:
        save_text(out, click.unstyle(text))
        say_wrote(out)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Pause the search for circles of objects: results have none, and of thousands it takes a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@command(
    "report", short_help="Show one result in full.", examples=("cogbench report results/one.json --out report.html",)
)
@click.argument("file", metavar="RESULT", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write a page, FILE.html, instead.")
@click.option("--figures", type=click.Path(path_type=Path), default=None, help="Write the figures here: svg and csv.")
def report(file: Path, out: Path | None, figures: Path | None) -> None:
    """Show a result: its scores, where the ranking is right, the similarities and their tree."""
    from ..results.result import Result
    from ..storage.atomic import save_text
    from ..views.card import render_card
    from ..views.pages import report_page, save_figures

    if out is not None and out.suffix.lower() not in ("", *PAGE):
        raise UnknownName(f"{str(out)!r}: a report is a page; name a file that ends in {' or '.join(PAGE)}.")
    result = Result.load(file)
    if out is None and figures is None:
        click.echo(render_card(result))
    if out is not None:
        save_text(out, report_page(result))
        say_wrote(out)
    if figures is not None:
        say_wrote(*save_figures(result, figures))


@command(
    "tree",
    short_help="Draw the taxonomy of tasks that a matrix implies.",
    examples=("cogbench tree results/one.json --linkage average",),
)
@click.argument("file", metavar="RESULT|FILE.csv", type=click.Path(path_type=Path))
@click.option(
    "--linkage", type=click.Choice(["ward", "average"]), default="ward", show_default=True, help="Ward's, or the mean."
)
@option.guess_reading
@option.as_json
def tree(file: Path, linkage: Any, guess_reading: "TableReading", as_json: bool) -> None:
    """Draw the taxonomy of tasks that a matrix of similarities implies, by hierarchical clustering."""
    from ..results.guess import read_matrix
    from ..results.plain import plain
    from ..scoring.task_tree import task_tree
    from ..views.card import render_tree

    taxonomy = task_tree(read_matrix(file, guess_reading), linkage)
    for note in taxonomy.notes:
        say(note)
    if as_json:
        print_json(plain(taxonomy.root))
    else:
        click.echo(render_tree(taxonomy.root))


@command(
    "submit",
    short_help="Hand in results for the boards of cogbench.",
    examples=("cogbench submit results/one.json --by NAME --check",),
)
@click.argument("files", metavar="RESULT…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--by", required=True, metavar="NAME", help="Whom boards name as the one who computed the results.")
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    metavar="DIR",
    help="Where they go.  [default: docs/results of the checkout around this folder]",
)
@click.option("--check", is_flag=True, help="Only check the results; write nothing.")
def submit(files: tuple[Path, ...], by: str, to: Path | None, check: bool) -> None:
    """Hand in results for the boards of cogbench: check them, and write them where a pull request puts them.

    Each RESULT is read by its schema, and its scores are computed anew from its similarities and the installed oracle.
    If a figure differs, nothing is written.
    """
    from ..results.submission import checked, results_folder, submit
    from ..storage.atomic import writable

    if check:
        for file in files:
            checked(file)
            say(f"{file}: its figures follow from its similarities and the oracle.")
        return
    folder = to or results_folder(Path.cwd())
    writable(folder)
    say_wrote(*submit(files, folder, by=by))
    say("next: `make board` writes the boards anew; then commit both and open a pull request.")


COMMANDS = (score, compare, leaderboard, report, tree, submit)
