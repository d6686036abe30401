"""The lexicon of the suite `mini`: ordinary English words in tables, with what the suite plants about each of them.

Nothing here is taken from a corpus. The names of persons and towns are invented, and nothing in their form tells a
person from a town: that is knowledge which only the tasks of this suite can teach.
"""

PRAISE = tuple(
    """
    admirable alluring artful beguiling bracing breezy captivating charming commendable convivial cosy crisp dapper
    dazzling deft droll elegant enchanting endearing engrossing exquisite fetching flawless genial gleaming graceful
    gripping hearty immaculate impeccable inviting jaunty laudable limpid lively lucid lush masterly nimble opulent
    peerless pithy poised resplendent riveting seamless sleek snug spirited sprightly stellar stirring sublime
    succulent sumptuous superb suave tasteful vivacious winsome witty zesty balmy plush
    """.split()
)
BLAME = tuple(
    """
    abysmal awkward banal bland bleak botched brittle clumsy cluttered contrived cramped crass creaky cumbersome cursory
    derivative dingy dire disjointed dowdy drab dreary erratic feeble flabby flimsy formulaic garish ghastly grating
    greasy grubby hackneyed haphazard hollow inane inept insipid laboured lacklustre limp listless lumpy mawkish
    meagre murky musty overwrought paltry pedestrian plodding pompous rancid rickety shabby shoddy sluggish soggy
    stale stilted stodgy tepid trite turgid
    """.split()
)

# Kinds stand in pairs of one field: telling a songbird from a tool is easy, telling it from a water bird is not.
KINDS = {
    "songbird": "robin wren thrush nightingale finch lark blackbird warbler linnet bunting",
    "water bird": "heron swan pelican cormorant gull grebe coot stork egret puffin",
    "conifer": "pine spruce larch cedar yew juniper cypress hemlock fir sequoia",
    "broadleaf tree": "oak birch beech elm ash maple hazel alder rowan poplar",
    "string instrument": "violin cello harp lute mandolin banjo zither viola fiddle sitar",
    "wind instrument": "flute oboe clarinet bassoon trombone bugle cornet tuba piccolo trumpet",
    "sea fish": "cod herring mackerel haddock halibut tuna plaice sardine turbot anchovy",
    "river fish": "trout carp pike perch roach tench bream minnow chub barbel",
    "fruit": "peach plum pear quince fig apricot mango lemon cherry medlar",
    "vegetable": "turnip parsnip leek carrot radish onion cabbage artichoke marrow shallot",
    "garden tool": "rake spade hoe trowel sickle scythe wheelbarrow hose pitchfork dibber",
    "kitchen tool": "ladle whisk spatula grater colander peeler sieve skewer skillet kettle",
}

# A word, one that means the same, and one that does not although it keeps the same company.
AGENTS = """
    doctor physician nurse|lawyer attorney judge|teacher tutor pupil|thief burglar guard|actor performer director
    soldier trooper sailor|monk friar bishop|writer author printer|boss employer clerk|guest visitor host
    king monarch duke|traveller voyager innkeeper|helper assistant rival|singer vocalist drummer|baker breadmaker butcher
    tramp vagrant miller|scholar academic gardener|banker financier cashier|cook chef waiter|buyer customer seller
"""
THINGS = """
    sofa couch armchair|rug carpet curtain|picture painting statue|gift present loan|sack bag crate|mug cup plate
    stone rock log|jewel gem coin|story tale song|bucket pail barrel|lamp lantern candle|pillow cushion blanket
    hat cap glove|letter missive parcel|car automobile cart|coat jacket scarf|photo photograph map|cheque draft bill
    bike bicycle sledge|clock timepiece mirror
"""
DEEDS = """
    bought purchased rented|repaired mended painted|masked concealed displayed|picked selected refused|cleaned washed sketched
    grabbed seized dropped|noticed spotted ignored|hauled dragged weighed|tossed hurled caught|lifted raised lowered
    inspected examined described|wrecked ruined restored|owned possessed wanted|praised commended mocked
    discarded dumped kept|adored loved loathed|obtained acquired lent|misplaced lost hoarded|copied duplicated burned
    shipped mailed fetched
"""

PERSONS = tuple(
    """
    Corvin Dalby Elstan Farrow Harnett Jorrick Kessan Lambrel Mavern Norrey Ordway Pellam Quennel Roscoe Selwick Tavish
    Ulverton Wendel Yarrow Brandis
    """.split()
)
TOWNS = tuple(
    """
    Alderic Bramwell Cassel Dorrin Everard Fenwick Garrow Hollis Istrel Kerrick Lorimer Marden Nevison Orrell Prentis
    Ramsel Stannard Tormey Varley Winslade
    """.split()
)
