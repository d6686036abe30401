"""Signals on the command line: cells that are missing, and what was read."""

import click
import pytest
from click.testing import CliRunner

from cogbench import Files, load_parts
from cogbench.cli.signals import missing, one_signal, signal
from cogbench.runs.plan import _described


@click.command()
@signal
@missing
def several(signal):
    click.echo("|".join(signal))


@click.command()
@one_signal
@missing
def one(signal):
    click.echo(signal or "")


@pytest.mark.parametrize(
    "command, given, expected",
    [
        (several, ["--signal", "a.csv", "--signal", "mini", "--missing", ".,-999"], "a.csv,missing=.:-999|mini"),
        (several, ["--missing", "NA", "--signal", "a.csv.gz:rt"], "a.csv.gz:rt,missing=NA"),
        (several, [], ""),
        (one, ["--signal", "a.xlsx,sheet=B", "--missing", "."], "a.xlsx,sheet=B,missing=."),
        (one, [], ""),
    ],
)
def test_what_is_missing_goes_to_the_tables(command, given, expected):
    done = CliRunner().invoke(command, given)
    assert done.exit_code == 0 and done.output.rstrip("\n") == (expected or "")


def test_missing_without_a_table_is_refused():
    for command in (several, one):
        done = CliRunner().invoke(command, ["--signal", "mini", "--missing", "."])
        assert done.exit_code == 2 and "no table is named: leave it out" in done.output


def test_what_was_read_of_a_signal_is_told(tmp_path):
    rows = "".join(f"{who},Sentence {i}.,{i}.5,{-i}.25,{i}.5\n" for who in "AB" for i in range(1, 5))
    (path := tmp_path / "t.csv").write_text(f"SUB,sentence,rt,gd,onset\n{rows}")
    recording = load_parts().signals["table"].open(str(path)).read(Files(offline=True))
    assert _described("t", recording).splitlines() == [
        "signal t: 4 sentences, 2 subject(s) (A, B), 2 channel(s); unit: as in the file",
        "  rt: 1.5 to 4.5",
        "  gd: -4.25 to -1.25",
        "  note: recognised: subject 'SUB'.",
        "  note: columns left out (no measurements by their names, used when named): onset.",
    ]
