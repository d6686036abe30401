"""The command that shows cogbench at work a minute after it is installed."""

from pathlib import Path

import click

from .options import progress, say_wrote


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results/demo"),
    show_default=True,
    help="The folder for the results and the page.",
)
def demo(out: Path) -> None:
    """Rank real tasks and a planted control from installed evidence packs: no data, no network, no training."""
    from ..results.leaderboard import leaderboard
    from ..runs.demo import demo, save_demo
    from ..storage.atomic import save_text, writable
    from ..views.card import render_demo
    from ..views.pages import board_page

    writable(out)
    with progress() as tell:
        results = demo(tell=tell)
    saved, page = save_demo(results, out), out / "leaderboard.html"
    save_text(page, board_page(leaderboard([*results.real, *results.control])))
    click.echo(render_demo(results, page, saved[0]))
    say_wrote(page)


COMMANDS = (demo,)
