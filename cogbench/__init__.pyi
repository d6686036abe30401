# The public names, each once.

# Using cogbench: what the commands do.
from .runs.run import run as run
from .runs.recommend import recommend as recommend
from .runs.measure_oracle import measure_oracle as measure_oracle, measure_sets as measure_sets
from .runs.fetch import fetch as fetch
from .results.guess import rescore as rescore, score as score, score_sets as score_sets
from .results.comparison import compare as compare
from .results.leaderboard import leaderboard as leaderboard, read_results as read_results
from .results.stacked_board import stacked_board as stacked_board
from .results.result import Result as Result
from .scoring.task_tree import task_tree as task_tree
from .parts.registry import Parts as Parts, load_parts as load_parts
from .checkpoints.given import GivenCheckpoint as GivenCheckpoint
from .compute.workspace import Step as Step
from .data.files import Files as Files
from .packs.pack import Pack as Pack
from .runs.make_pack import make_pack as make_pack
from .views.pages import board_page as board_page, report_page as report_page
from .storage.store import Store as Store

# Writing parts: the kinds of part, what they are given, and what they return.
from .parts.hookspecs import hookimpl as hookimpl
from .parts.interfaces import (
    NEEDS as NEEDS,
    Backbone as Backbone,
    Estimator as Estimator,
    Evidence as Evidence,
    OraclePart as OraclePart,
    SetsPart as SetsPart,
    Signal as Signal,
    TrainsTogether as TrainsTogether,
)
from .parts.recipe import (
    SHARINGS as SHARINGS,
    TUNINGS as TUNINGS,
    Checkpoint as Checkpoint,
    Recipe as Recipe,
    RowChoice as RowChoice,
    SelectionEvidence as SelectionEvidence,
    Selector as Selector,
    Settings as Settings,
    Task as Task,
)
from .parts.recipe import CheapTransfer as CheapTransfer, TransferOptions as TransferOptions
from .parts.sentence_file import SentenceFile as SentenceFile
from .parts.table_task import TableTask as TableTask
from .data.kinds import TASK_KINDS as TASK_KINDS
from .data.dataset import (
    Array as Array,
    Card as Card,
    Dataset as Dataset,
    Origin as Origin,
    draw_rows as draw_rows,
)
from .data.features import FeatureOptions as FeatureOptions, Features as Features, WeightChange as WeightChange
from .compute.adaptation import Adapts as Adapts, Masker as Masker, TrainsMasked as TrainsMasked
from .combining.pooled import PooledTask as PooledTask
from .compute.features import (
    batches_of_like_lengths as batches_of_like_lengths,
    encoder_of as encoder_of,
    pooled as pooled,
    states_of as states_of,
)
from .data.recording import (
    Averages as Averages,
    Recording as Recording,
    Responses as Responses,
    average_repetitions as average_repetitions,
    finite_mean as finite_mean,
    varying_channels as varying_channels,
)
from .data.oracle import Oracle as Oracle, OracleCard as OracleCard, Suite as Suite, TaskMatrix as TaskMatrix
from .data.oracle_files import OracleFile as OracleFile, read_oracle as read_oracle
from .data.score_tables import TableReading as TableReading
from .tables.numbers import side_by_side as side_by_side
from .tables.options import (
    OPTION_NAMES as OPTION_NAMES,
    TableOptions as TableOptions,
    split_address as split_address,
)
from .tables.reading import read_table as read_table, read_texts as read_texts
from .tables.rows import Rows as Rows
from .tables.words import read_tagged as read_tagged
from .storage.foreign import read_arrays as read_arrays
from .storage.matlab import read_matlab as read_matlab
from .oracles.set_values import build_set as build_set, set_values as set_values
from .oracles.set_tables import read_sets as read_sets
from .oracles.task_sets import SetScore as SetScore, TaskSets as TaskSets
from .scoring.metrics import METRICS as METRICS
from .scoring.ranking import rank as rank
from .scoring.baselines import popularity_baseline as popularity_baseline, size_baseline as size_baseline
from .scoring.noise_ceiling import (
    Ceiling as Ceiling,
    noise_ceiling as noise_ceiling,
    spearman_brown as spearman_brown,
)

# Errors: all that cogbench raises for a user's mistake.
from .errors import (
    BrokenPlugin as BrokenPlugin,
    CogbenchError as CogbenchError,
    FailedCells as FailedCells,
    MissingData as MissingData,
    UnknownName as UnknownName,
    UnusableData as UnusableData,
)

__version__: str
