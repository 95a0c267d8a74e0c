"""The constants whose effect is not measured here, each with what it is, where it comes from, and why not."""

from dataclasses import dataclass

from benchmarks.sensitivity_constants import JUDGED

COST = "cost"
CHECKED = "judgement and [prompt worlds](figures.md#prompts), seeds 7, 11 and 31"
TIMED = "judgement and [worlds of timing](figures.md#timing), seeds from 1000 and 5000 on"


@dataclass(frozen=True)
class Room:
    """The constants of one module.

    Attributes:
        why: they are not halved and doubled.
        constants: unit, source, and what it is where the module does not say, by name.
    """

    why: str
    constants: dict[str, tuple[str, str] | tuple[str, str, str]]


_AT_INGEST = (
    "They act when a case is ingested, which is too much to repeat for each setting; recall and precision with all of "
    "them as they are stand in [figures](figures.md#prompts)."
)
_PROMPTS_READ = (
    "They act while sightings are read, which takes longer than everything after it; recall and precision with all of "
    "them as they are stand in [figures](figures.md#prompts), and [prompts.md](prompts.md) says what they are for."
)
_TIMES_READ = (
    "They act while sightings are read, and the tests find nothing on these worlds; their power and their false "
    "findings with all of them as they are stand in [figures](figures.md#timing)."
)
_NO_LISTS = "They act only where somebody has added lists of networks, and these worlds have none."
_NO_NULLS = "No null models are searched here: they decide which rings are beyond chance, and no score."
_SHOWN = "No ring is listed, and no account is a member, because of them."
_ASKED = "They act in a command that starts from known accounts or from one ring, not in `detect`."

FIXED: dict[str, Room] = {
    "linkage.model": Room(
        "It acts while sightings are read.",
        {"HEAVY_USES": ("prompts", JUDGED)},
    ),
    "linkage.gather": Room(
        "It acts while sightings are read.",
        {"RHYTHM_BUCKETS": ("parts", JUDGED)},
    ),
    "linkage.identify": Room(
        "They act while sightings are read, or are no amount.",
        {
            "NEVER": ("", "none: a sign"),
            "ALONE": ("sightings", COST),
            "LIVED": ("exchanges", JUDGED),
            "GROUPED": ("bytes an event", "memory"),
        },
    ),
    "linkage.context.model": Room(
        _NO_LISTS + " The chance of each type stands in [context.md](context.md#what-an-address-is-worth).",
        {
            "ENOUGH": ("accounts", JUDGED),
            "LONGEST": ("characters", "what fits a line"),
        },
    ),
    "linkage.context.guess": Room(
        "They word a guess for people, which counts for nothing.",
        {"HOUSEHOLD": ("accounts", JUDGED), "EXITS": ("addresses", JUDGED)},
    ),
    "linkage.context.files": Room(
        _NO_LISTS,
        {
            "MAPPED": ("", "none: a sign"),
            "FEW": ("", JUDGED),
            "MOST": ("addresses", JUDGED),
        },
    ),
    "linkage.prompt_sightings": Room(
        _PROMPTS_READ,
        {
            "PART_PROMPTS": ("prompts", "memory"),
            "FEW_PROMPTS": ("prompts", COST),
            "LIGHTLY": ("of the usual uses", CHECKED),
            "SHORT_PROMPT": ("tokens", CHECKED),
            "REPEATED": ("times", CHECKED, "An account that sent a short prompt so often repeats it"),
        },
    ),
    "linkage.prompts.alike": Room(
        _PROMPTS_READ + " Some are compiled into kernels besides.",
        {
            "SAME_TEXT": ("nats", CHECKED),
            "SAME_SPREAD": ("nats", "seed 21 of the prompt worlds, [figures](figures.md#prompts)"),
            "DISORDER": ("", CHECKED),
            "RATES": ("of the words", CHECKED),
            "TOPIC": ("", CHECKED),
            "LEAD": ("of the words", CHECKED),
            "OPENING": ("of the text", CHECKED),
            "ENDING": ("of the text", CHECKED),
            "BETWEEN": ("of the text", CHECKED, "Beside a shared opening and ending, so much at least is free"),
            "LEAST_SHARED": ("words", CHECKED, "Outlines that share fewer are not compared"),
            "BLUR": ("of 255 of the text", CHECKED),
            "PAIR_WEIGHT": ("", CHECKED),
            "RARE": ("outlines", COST),
            "KEYS": ("words", COST),
            "NEIGHBOURS": ("outlines", COST, "Of a commoner word so many neighbours are compared"),
        },
    ),
    "linkage.prompts.outlines": Room(
        _PROMPTS_READ + " Some are compiled into kernels besides.",
        {
            "SAMPLE": ("prompts", COST),
            "OUTLINE": ("words", COST),
            "MOST": ("outlines", COST),
            "TRIES": ("words", COST),
            "LEAST_PROMPTS": ("prompts", CHECKED),
            "LEAST_WORDS": ("words", CHECKED, "Fewer words in common are no outline"),
            "FEW": ("accounts", CHECKED, "A word that so few accounts repeat is rare"),
            "LEAST_ACCOUNTS": ("accounts", CHECKED),
            "SAYS": ("bits", CHECKED),
            "RECURS": ("of the prompts", CHECKED),
            "STEADY": ("of 255 of the text", CHECKED),
            "STEADY_SHARE": ("of the words", CHECKED),
            "FOLLOWS": ("of the words", CHECKED),
        },
    ),
    "linkage.prompts.popular": Room(
        _PROMPTS_READ, {"SPEAKERS": ("outlines", COST), "TAKES_PART": ("of the words", CHECKED)}
    ),
    "linkage.prompts.keys": Room(
        _AT_INGEST,
        {
            "ROWS": ("rows", "the curve of `BANDS`", "Values of a band: more bring fewer unrelated pairs together"),
            "BANDS": ("bands", "the curve stated; [doi:10.1017/9781139924801](https://doi.org/10.1017/9781139924801)"),
            "PASS": ("bands", COST),
            "SEEDS": ("", "none: a hash", "What each row of each band mixes in"),
        },
    ),
    "linkage.prompts.near": Room(
        _AT_INGEST,
        {
            "SKETCH": ("values", "cost against the standard error stated"),
            "SIMILAR": ("Jaccard index", CHECKED),
            "BUCKET": ("sketches", COST),
            "NEIGHBOURS": ("sketches", COST, "Comparisons with the next ones of a greater bucket"),
            "SAMPLES": ("sketches", COST),
        },
    ),
    "linkage.prompts.sketch": Room(
        _AT_INGEST,
        {
            "WORDS": ("hashes", "size of a sketch", "Hashes of words that a sketch keeps"),
            "PAIRS": ("hashes", "size of a sketch", "Hashes of two words in a row that a sketch keeps"),
            "BODY": ("hashes", "size of a sketch", "Hashes of three words in a row that a sketch keeps"),
            "EDGE": ("hashes", "size of a sketch", "The same of the opening, and of the ending"),
            "LONG": ("tokens", CHECKED),
            "OPENING": ("of the tokens", CHECKED, "The opening ends at the last break before this part of the tokens"),
            "ENDING": ("of the tokens", CHECKED, "The ending begins at the first break after this part"),
            "WORD_BITS": ("bits", "layout"),
            "SHORTEST_WORD": ("bytes", JUDGED),
            "HTTP": ("", "none: text", "How an address begins"),
            "WWW": ("", "none: text", "How an address begins"),
        },
    ),
    "linkage.prompts.tokens": Room(
        _AT_INGEST,
        {
            "FIRST_SLOT": ("", "none: a sign"),
            **dict.fromkeys(("NUMBER", "URL", "EMAIL", "ID", "CODE", "LITERAL"), ("", "none: a sign", "A slot")),
            "LONGEST_LOOK": ("bytes", COST),
        },
    ),
    "linkage.prompts.words": Room(
        "They decide what text may be shown.",
        {
            "SKELETON_ACCOUNTS": ("accounts", "judgement about privacy"),
            "TOKENS": ("words", COST),
            "LONGEST_WORD": ("characters", "judgement about privacy"),
            "MOST_WORDS": ("words", "memory", "So many words are counted at a time"),
        },
    ),
    "linkage.prompts.skeleton": Room(
        "They decide what text is shown.", {"PROMPTS": ("prompts", COST), "FIXED": ("of the prompts", JUDGED)}
    ),
    "linkage.timing.work": Room(
        _TIMES_READ,
        {
            "MINUTE": ("seconds", "none: a unit", "A minute"),
            "HOUR": ("seconds", "none: a unit", "An hour"),
            "DAY": ("seconds", "none: a unit", "A day"),
            "MARGIN": ("seconds", "longer than any window"),
            "LEAST_BITS": ("bits", "one false finding in a thousand cases"),
        },
    ),
    "linkage.timing.channels": Room(
        _TIMES_READ,
        {
            "RARE": ("units", "derived: twice `AGAIN`"),
        },
    ),
    "linkage.timing.pairs": Room(
        _TIMES_READ,
        {
            "AGAIN": ("units", TIMED),
            "MARGIN_BITS": ("bits", TIMED),
            "PAIRS": ("coincidences", COST),
            "THIN": ("seconds", COST),
        },
    ),
    "linkage.timing.permute": Room(
        _TIMES_READ,
        {
            "THETAS": ("", "an e-value is valid with any; these cover weak and strong effects", "Theta of the e-value"),
            "HABITS": ("minutes", COST),
            "UNITS": ("units", COST),
            "NEAR": ("seconds", TIMED),
            "EVEN": ("of the gap", TIMED),
            "EVEN_SECONDS": ("seconds", TIMED, "Gaps within so much of the median are even, whatever its length"),
        },
    ),
    "linkage.timing.bursts": Room(
        _TIMES_READ,
        {
            "WINDOWS": ("seconds", TIMED, "Accounts send the same within so long; each length is corrected for"),
            "LEAST": ("accounts", TIMED),
            "APART": ("seconds", TIMED),
        },
    ),
    "linkage.timing.handoffs": Room(
        _TIMES_READ,
        {
            "WINDOWS": ("seconds", TIMED, "A job goes on within so long; each length is corrected for"),
            "PAUSE": ("seconds", TIMED, "A longer pause ends a series"),
            "LENGTH": ("exchanges", TIMED),
            "LEAST": ("accounts", "a hand-off takes two"),
        },
    ),
    "linkage.timing.balance": Room(
        _TIMES_READ,
        {
            "SLOTS": ("seconds", TIMED),
            "MUCH": ("exchanges", TIMED),
            "MOST": ("accounts", TIMED),
            "LEAST": ("accounts", TIMED, "Accounts of a balanced load"),
            "SCREEN": ("permutations", COST, "So many permutations tell whom to look at"),
            "PERMUTATIONS": ("permutations", COST, "So many permutations tell the tail"),
            "DRAWS": ("draws", COST),
            "PROMISING": ("standard deviations", TIMED),
        },
    ),
    "linkage.significance.q_values": Room(_NO_NULLS, {"LISTED_Q": ("q-value", "custom: one in twenty by chance")}),
    "linkage.significance.nulls": Room(
        _NO_NULLS,
        {
            "FLOOR": ("q-value", "a fifth of `LISTED_Q`; cost"),
            "FEWEST_NULLS": ("null models", COST, "So many null models at least"),
            "MOST_NULLS": ("null models", COST, "So many at most, where `LISTED_Q` does not need more"),
            "AFFORDED_TIES": ("sightings", COST),
            "TIES_AT_ONCE": ("sightings", "memory"),
            "STANDS": ("of accounts and sightings", COST),
        },
    ),
    "linkage.significance.rewire": Room(_NO_NULLS, {"MIX": ("swaps", JUDGED), "TRIES": ("tries", COST)}),
    "linkage.rings.members": Room(
        _SHOWN, {"CORE_BITS": ("bits", "odds of 64 to 1; judgement"), "BRIDGE_ACCOUNTS": ("accounts", COST)}
    ),
    "linkage.rings.lineage": Room(
        _SHOWN, {"OVERLAP": ("of the smaller", JUDGED), "GONE": ("", JUDGED), "TELLING": ("rings", JUDGED)}
    ),
    "linkage.rings.recalibrate": Room(
        "They act with `--calibrate` alone, on a case that holds decisions.",
        {
            "FEWEST": ("decisions", JUDGED),
            "OWN": ("decisions", JUDGED),
            "REACH": ("bits", JUDGED),
            "SLOPES": ("", JUDGED),
            "OFFSETS": ("bits", JUDGED, "The offset stays between them"),
        },
    ),
    "linkage.rings.features": Room(
        _SHOWN, {"DAY_US": ("microseconds", "none: a unit", "A day")}
    ),
    "linkage.spread": Room(
        _ASKED,
        {
            "JOINS": ("probability", "even odds"),
            "ROUNDS": ("steps", COST),
            "OWNER_DAYS": ("days", JUDGED),
            "OWNER_BITS": ("bits", JUDGED),
            "LOOKS": ("", JUDGED),
            "GROUP": ("probability", "seeds 1 and 2 of `mix`, [expand.md](expand.md#how-well-it-does)"),
            "SMALL": ("accounts", "seeds 1 and 2 of `mix`, [expand.md](expand.md#how-well-it-does)"),
            "FAR": ("", "none: a sign"),
        },
    ),
    "linkage.expand": Room(_ASKED, {"LEAST": ("probability", JUDGED), "SHOWN": ("values", JUDGED)}),
    "linkage.bridge": Room(_ASKED, {"CUTS": ("edges", COST), "NAMED": ("values", JUDGED)}),
    "linkage.communities.heavy": Room(
        "It guards a bound against rounding; the labels are the same without it.",
        {"EDGE": ("bits", "far above rounding")},
    ),
    "linkage.communities.nearness": Room(
        "It numbers nodes so that a search finds them near each other in memory, and so breaks ties alone.",
        {"ROUNDS": ("rounds", COST)},
    ),
    "linkage.evidence.pairs": Room(
        "Pairs are weighed so many at a time; each is worth the same.",
        {"PART": ("pairs", COST)},
    ),
    "linkage.rings.without": Room(
        "Groups are judged again so many sightings at a time; what each would be is the same.",
        {"PART": ("sightings", COST)},
    ),
    "linkage.communities.leiden": Room(
        "It guards bounds of gains against rounding; the labels are the same without it.",
        {"MARGIN": ("bits", "far above rounding")},
    ),
    "linkage.evidence.likeness": Room(
        "It chooses between two ways to the same sum.",
        {"DIRECT": ("members", COST)},
    ),
    "linkage.communities.label_propagation": Room(
        "It acts with `--algorithm label-propagation` alone.",
        {"ROUNDS": ("rounds", COST, "So often labels spread, at most")},
    ),
}  # fmt: skip
"""By module. Names that begin with an underscore and what only shapes output are left out."""
