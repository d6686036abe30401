"""The lexicon of the suite `mini`: English words in tables, with what the suite plants about each of them.

Nothing here is taken from a corpus. The names of persons and towns are invented, and nothing in their form tells a
person from a town: that is knowledge which only the tasks of this suite can teach. `Lexicon` is that knowledge, as
planted and as a task of the negative control draws it for itself.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PRAISE = """
    alluring artful beguiling bracing captivating commendable convivial cosy deft droll enchanting endearing engrossing
    exquisite fetching genial gripping hearty immaculate jaunty laudable lucid lush masterly opulent peerless poised
    resplendent riveting snug sprightly stirring sublime succulent sumptuous suave vivacious winsome witty zesty
""".split()
BLAME = """
    abysmal banal bland botched brittle cluttered contrived cramped crass creaky cumbersome cursory derivative dingy
    disjointed dowdy drab dreary flabby flimsy garish grubby hackneyed haphazard inane inept insipid laboured
    lacklustre limp listless mawkish meagre musty overwrought pompous rancid shoddy stilted turgid
""".split()

FOODS = """
    turbot plaice halibut haddock kale chard sorrel okra tapioca semolina brisket gammon venison mutton custard
    marzipan nougat fudge brie cheddar gouda halva hummus polenta couscous kohlrabi fennel celeriac rhubarb treacle
    muesli sago pastrami ricotta tofu tahini
""".split()
MATERIALS = """
    quartz basalt gneiss granite slate flint onyx jade tweed calico linen burlap gingham denim zinc nickel cobalt
    pewter bronze graphite plaster mortar putty resin lacquer varnish asphalt gravel cement teak mahogany ebony
    plywood tinsel muslin felt
""".split()

# A word, one that means the same, and one that does not although it keeps the same company.
AGENTS = """
    doctor physician nurse|lawyer attorney judge|teacher tutor pupil|robber bandit guard|actor performer director
    soldier trooper sailor|monk friar bishop|writer author printer|manager employer clerk|guest visitor host
    king monarch duke|traveller voyager innkeeper|helper assistant rival|singer vocalist drummer
    tramp vagrant miller|scholar academic gardener|banker financier cashier|cook chef waiter
"""
THINGS = """
    sofa couch armchair|rug carpet curtain|picture painting statue|gift present prize|sack bag crate|mug cup plate
    stone rock log|jewel gem coin|rope cord chain|bucket pail barrel|lamp lantern candle|pillow cushion blanket
    hat cap glove|letter missive parcel|car automobile cart|coat jacket scarf|photo photograph map|bike bicycle sledge
"""
DEEDS = """
    bought purchased rented|repaired mended painted|masked concealed displayed|picked selected refused
    cleaned washed sketched|grabbed seized dropped|noticed spotted ignored|hauled dragged weighed|tossed hurled caught
    lifted raised lowered|inspected examined described|wrecked ruined restored|owned possessed wanted
    praised commended mocked|discarded dumped kept|adored loved loathed|obtained acquired lent|shipped mailed fetched
"""

PERSONS = """
    Corvin Dalby Elstan Farrow Harnett Jorrick Kessan Lambrel Mavern Norrey Ordway Pellam Quennel Roscoe Selwick Tavish
    Ulverton Wendel Yarrow Brandis
""".split()
TOWNS = """
    Alderic Bramwell Cassel Dorrin Everard Fenwick Garrow Hollis Istrel Kerrick Lorimer Marden Nevison Orrell Prentis
    Ramsel Stannard Tormey Varley Winslade
""".split()

# What fills the sentences, without a bearing on any label.
WHEN = (
    "on Monday", "last spring", "before noon", "after the storm", "in early May", "two years ago", "at dawn",
    "during the festival", "late at night", "over the winter", "on market day", "before Easter", "yesterday", "again",
)  # fmt: skip
WHERE = (
    "at the market", "in the harbour", "near the bridge", "behind the station", "in the town hall", "by the canal",
    "next to the chapel", "in the village", "at the fair", "outside the library", "in the cellar", "on the stairs",
)  # fmt: skip
WORKS = ("song", "story", "poem", "film", "essay", "lecture", "ballad", "play", "novel", "sketch")
FEATURES = (
    "food", "service", "plot", "music", "acting", "dialogue", "lighting", "opening", "ending", "soup", "dessert",
    "decor", "staging", "prose", "bread", "wine", "garden", "lobby", "finale", "costumes",
)  # fmt: skip
MINDED = (
    ("mention", "mentioned"), ("describe", "described"), ("remember", "remembered"), ("sketch", "sketched"),
    ("praise", "praised"), ("photograph", "photographed"), ("recall", "recalled"), ("paint", "painted"),
    ("dream of", "dreamed of"), ("talk about", "talked about"), ("ask about", "asked about"),
)  # fmt: skip
PLEASED = ("were delighted by", "recommended", "enjoyed", "were fond of", "approved of")
DISPLEASED = ("were disappointed by", "avoided", "disliked", "were tired of", "complained about")
OF_PERSONS = (
    "sneezed twice", "blushed", "has a twin sister", "married a pilot", "is afraid of spiders", "learned to swim",
    "told us a joke", "hummed a tune", "lost a wallet", "wants to be a dentist", "fell asleep", "smiled at the baby",
)  # fmt: skip
OF_TOWNS = (
    "was founded by fishermen", "has two railway stations", "lies on a wide river", "was flooded", "has narrow streets",
    "elected a mayor", "was linked to the motorway", "has five thousand inhabitants", "was besieged", "built a tram",
)  # fmt: skip

Triples = tuple[tuple[str, str, str], ...]  # a word, one that means the same, one that does not


@dataclass(frozen=True)
class Lexicon:
    """What a task holds true of its words."""

    praise: tuple[str, ...]
    blame: tuple[str, ...]
    foods: tuple[str, ...]
    materials: tuple[str, ...]
    persons: tuple[str, ...]
    towns: tuple[str, ...]
    agents: Triples
    things: Triples
    deeds: Triples


def _triples(table: str) -> Triples:
    rows = [row.split() for line in table.strip().splitlines() for row in line.split("|")]
    return tuple((word, twin, foil) for word, twin, foil in rows)


PLANTED = Lexicon(
    tuple(PRAISE),
    tuple(BLAME),
    tuple(FOODS),
    tuple(MATERIALS),
    tuple(PERSONS),
    tuple(TOWNS),
    _triples(AGENTS),
    _triples(THINGS),
    _triples(DEEDS),
)


def shuffled(lexicon: Lexicon, seed: str) -> Lexicon:
    """Return the same words with other knowledge: within a part of speech, words change places."""
    rng = random.Random(seed)

    def mixed(groups: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
        """Return groups of the same sizes over the same words in another order."""
        groups = list(groups)
        pool = [word for group in groups for word in group]
        rng.shuffle(pool)
        return [tuple(pool.pop() for _ in group) for group in groups]

    pairs = ((lexicon.praise, lexicon.blame), (lexicon.foods, lexicon.materials), (lexicon.persons, lexicon.towns))
    classes = [group for pair in pairs for group in mixed(pair)]
    tables = [tuple((a, b, c) for a, b, c in mixed(t)) for t in (lexicon.agents, lexicon.things, lexicon.deeds)]
    return Lexicon(*classes, *tables)  # type: ignore[arg-type]
