"""The signal `mini`: synthetic responses to synthetic sentences, with a known share of informative channels.

No brain was recorded. Each informative channel reads out a few known properties of its sentence (`latents`), mixed
differently for each subject, plus noise; the other channels are noise alone. The properties are those that the tasks
of the suite `mini` are about, written down here a second time, by other code over sentences of another form: what an
estimator finds in common between the two is knowledge of words, not a table that they share.
"""

import random
from dataclasses import dataclass

import numpy as np

from cogbench import Array, Files, Origin, Recording, Responses, UnusableData, hookimpl

# By default: the share of channels that carry anything, and the squared correlation of the best possible prediction
# with such a channel. The rest of its variance is noise.
INFORMATIVE = 0.5
NOISE_CEILING = 0.6

# Properties of a sentence, in the order of the columns of `latents`.
LATENTS = ("valence", "food", "person", "town", "agent", "deed", "plural", "question", "words")

# The names are invented: that they are the same as the suite's is the one agreement that English does not bring.
# Agents and deeds stand in pairs that mean the same.
WORDS = {
    "praise": """
        alluring beguiling captivating convivial deft enchanting endearing exquisite fetching gripping hearty immaculate
        laudable lush masterly peerless resplendent riveting stirring sublime succulent sumptuous winsome zesty
    """,
    "blame": """
        abysmal banal bland botched cluttered contrived cramped crass cumbersome derivative dingy dowdy drab dreary
        flimsy garish grubby hackneyed insipid lacklustre listless mawkish musty rancid shoddy stilted turgid
    """,
    "food": """
        turbot plaice halibut haddock kale chard okra tapioca brisket gammon venison custard marzipan nougat fudge
        gouda hummus polenta couscous fennel celeriac rhubarb treacle muesli ricotta
    """,
    "material": """
        quartz basalt gneiss granite slate flint onyx tweed calico linen burlap gingham zinc nickel cobalt pewter
        bronze graphite plaster putty lacquer asphalt cement mahogany plywood muslin
    """,
    "person": """
        Corvin Dalby Elstan Farrow Harnett Jorrick Kessan Lambrel Mavern Norrey Ordway Pellam Quennel Roscoe Selwick
        Tavish Ulverton Wendel Yarrow Brandis
    """,
    "town": """
        Alderic Bramwell Cassel Dorrin Everard Fenwick Garrow Hollis Istrel Kerrick Lorimer Marden Nevison Orrell
        Prentis Ramsel Stannard Tormey Varley Winslade
    """,
    "agent": """
        doctor physician lawyer attorney teacher tutor robber bandit soldier trooper monk friar writer author guest
        visitor singer vocalist banker financier
    """,
    "deed": """
        bought purchased repaired mended concealed masked picked selected cleaned washed seized grabbed noticed spotted
        lifted raised
    """,
    "thing": "sofa couch rug carpet picture painting gift present mug cup stone rock jewel gem bucket pail lamp map",
    "work": "song story poem film essay lecture ballad play novel sketch concert tour exhibition recital",
    "time": "today|this morning|at noon|last week|in autumn|on Sunday|after supper|a year ago|in the rain|at sunrise",
}
LEXICON = {name: tuple(table.split("|" if "|" in table else None)) for name, table in WORDS.items()}
FORMS = (
    "The {work} from {name} was {mood} {time}.",
    "The {work} about {noun} was not so {mood} {time}.",
    "The {agent}{s} in the hall thought the {work} {mood}.",
    "We were given {noun} {time}.",
    "The {agent}{s} {deed} the {thing} {time}.",
    "{name} is well known to the {agent}{s}.",
    "One {mood} {work} about {noun} made us think of {name}.",
    "The {agent}{s} {deed} the {mood} {thing} for {name}.",
    "Some {noun} was found behind the {mood} {thing} {time}.",
    "Few of us had heard of {name} before the {mood} {work}.",
    "Who spoke to the {agent}{s} of {noun} and {name}?",
    "Was it {name} that the {agent}{s} {deed} the {thing} for?",
)


def _stimulus(rng: random.Random, form: str) -> tuple[str, tuple[float, ...]]:
    """Return a sentence of this form and its latents; a property that the form does not speak of is 0."""
    good, food, person, plural = (rng.random() < 0.5 for _ in range(4))
    group = {
        "mood": "praise" if good else "blame",
        "noun": "food" if food else "material",
        "name": "person" if person else "town",
    }
    slots = ("mood", "noun", "name", "agent", "thing", "deed", "work", "time")
    filling = {slot: rng.choice(LEXICON[group.get(slot, slot)]) for slot in slots}
    text = form.format(s="s" if plural else "", **filling)
    has = {slot: "{" + slot + "}" in form for slot in ("mood", "noun", "name", "s")}
    latents = {
        "valence": has["mood"] * (1 if good != ("not so" in form) else -1),
        "food": has["noun"] * (1 if food else -1),
        "person": has["name"] * person,
        "town": has["name"] * (not person),
        "agent": has["s"] * _meaning(filling["agent"], LEXICON["agent"]),
        "deed": ("{deed}" in form) * _meaning(filling["deed"], LEXICON["deed"]),
        "plural": has["s"] * (1 if plural else -1),
        "question": form.endswith("?"),
        "words": len(text.split()),
    }
    return text, tuple(float(latents[name]) for name in LATENTS)


def _meaning(word: str, pairs: tuple[str, ...]) -> float:
    """Return a number from -1 to 1 that is the same for two words that mean the same."""
    return 2 * (pairs.index(word) // 2) / (len(pairs) // 2 - 1) - 1


def stimuli(n: int = 300, seed: int = 0) -> tuple[tuple[str, ...], Array]:
    """Write sentences, each form as often as the others.

    Returns
    -------
    tuple of str
        `n` different sentences.
    array of shape (n, n_latents)
        The known properties of each, in the order of `LATENTS`.
    """
    rng = random.Random(f"stimuli {seed}")
    found: dict[str, tuple[float, ...]] = {}
    while len(found) < n:
        text, latents = _stimulus(rng, FORMS[len(found) % len(FORMS)])
        found.setdefault(text, latents)
    return tuple(found), np.array(list(found.values()))


@dataclass(frozen=True)
class MiniSignal:
    """A synthetic signal with a known answer.

    Parameters
    ----------
    n_stimuli, n_subjects, n_channels : int
        Its size.
    seed : int
        Of sentences, read-outs and noise.
    informative : float
        The share of channels that carry anything, from 0 to 1.
    noise_ceiling : float
        The share of the variance of such a channel that is no noise, from 0 to 1.

    Raises
    ------
    UnusableData
        If a share is not from 0 to 1.
    """

    name: str = "mini"
    n_stimuli: int = 300
    n_subjects: int = 3
    n_channels: int = 48
    seed: int = 0
    informative: float = INFORMATIVE
    noise_ceiling: float = NOISE_CEILING

    def __post_init__(self) -> None:
        for option, share in (("informative", self.informative), ("noise_ceiling", self.noise_ceiling)):
            if not 0 <= share <= 1:
                raise UnusableData(f"signal {self.name!r}: {option}={share}; expected a share from 0 to 1.")

    def readout(self, subject: int) -> Array:
        """Return the planted weights (n_latents, n_channels) of a subject; an uninformative channel's are all 0."""
        rng = np.random.default_rng([self.seed, subject])
        weights = rng.standard_normal((len(LATENTS), self.n_channels))
        silent = rng.permutation(self.n_channels)[round(self.informative * self.n_channels) :]
        weights[:, silent] = 0
        return weights

    def read(self, files: Files) -> Recording:
        """Write stimuli and responses; `files` is not asked for anything."""
        sentences, latents = stimuli(self.n_stimuli, self.seed)
        known = (latents - latents.mean(axis=0)) / latents.std(axis=0)  # (n_stimuli, n_latents)
        channels = tuple(f"channel-{i:02d}" for i in range(self.n_channels))
        subjects = {}
        for subject in range(self.n_subjects):
            signal = known @ self.readout(subject)  # (n_stimuli, n_channels)
            spread = signal.std(axis=0)
            signal = np.divide(signal, spread, out=np.zeros_like(signal), where=spread > 0)
            noise = np.random.default_rng([self.seed, subject, 1]).standard_normal(signal.shape)
            share = self.noise_ceiling * (spread > 0)
            values = np.sqrt(share) * signal + np.sqrt(1 - share) * noise
            # Each sentence was shown twice, so to speak: the noise of each time is as large as that of the other, and
            # the mean of both times is `values`.
            apart = np.random.default_rng([self.seed, subject, 2]).standard_normal(signal.shape)
            halves = np.stack([values + sign * np.sqrt(1 - share) * apart for sign in (1, -1)])
            # Rounded, so that no machine's last bit changes the hash.
            subjects[f"synthetic-{subject + 1}"] = Responses(values.round(4), channels, halves=halves.round(4))
        return Recording(
            sentences,
            subjects,
            unit="arbitrary (synthetic)",
            origin=Origin("cogbench synthetic mini", f"seed {self.seed}"),
            notes=(
                f"Synthetic: no brain was recorded. {self.informative:.0%} of the channels read out known properties "
                f"of the sentences ({', '.join(LATENTS)}), with a noise ceiling of {self.noise_ceiling} (r squared); "
                "the rest is noise.",
            ),
            synthetic=True,
        )


@hookimpl
def register_signals() -> list[MiniSignal]:
    """Return the synthetic signal."""
    return [MiniSignal()]
