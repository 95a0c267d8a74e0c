"""The worlds that accuracy is measured on, and the true templates of their prompts for the oracle."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linkage import store
from linkage.simulate import simulate
from linkage.simulate.world import World as Building

_OPTIONS = {"evasion": float, "days": int, "prompts": str}


@dataclass(frozen=True)
class World:
    """A world as `linkage simulate` names it, with options that are not the usual ones."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return ":".join([self.name, *(f"{name}={value}" for name, value in self.options)])


def parse(text: str) -> World:
    """A world from its name and options.

    >>> str(parse("mix:prompts=fingerprint:evasion=.6"))
    'mix:evasion=0.6:prompts=fingerprint'

    Raises:
        SystemExit: an option that no world has.
    """
    name, *given = text.strip().split(":")
    options = {}
    for option in given:
        key, _, value = option.partition("=")
        if key not in _OPTIONS:
            raise SystemExit(f"A world has no option {key!r}; it has {', '.join(_OPTIONS)}.")
        options[key] = _OPTIONS[key](value)
    return World(name, tuple(sorted(options.items())))


def make(folder: Path, world: World, accounts: int, seed: int) -> None:
    """Write the world's export, `truth.csv` and `structures.csv` into a new folder."""
    options: dict[str, Any] = {"world": world.name, **dict(world.options)}
    simulate(folder, accounts=accounts, seed=seed, format="parquet", **options)


def true_templates(folder: Path, world: World, accounts: int, seed: int) -> Path | None:
    """A Parquet file that gives each exchange the template that its prompt was made from.

    The world is made again with the provider's fingerprints, which tell templates apart, and with no word replaced.

    Args:
        folder: a new one, to be removed by the caller.
        world, accounts, seed: as they were made; their exchanges have the same ids here.

    Returns:
        Columns `account_id` and `prompt_fingerprint` among others, or None where the world has no templates.
    """
    if world.name in ("sample", "noise"):
        return None
    with _no_word_replaced():
        make(folder, World(world.name, (*world.options, ("prompts", "fingerprint"))), accounts, seed)
    return folder / "exchanges.parquet"


def same_exchanges(one: Path, other: Path) -> bool:
    """Whether two Parquet files hold the same exchanges of the same accounts, whatever was said in them."""
    con = store.connect(":memory:")
    try:
        ids = "SELECT account_id, exchange_id FROM read_parquet(?)"
        counted = con.execute(f"SELECT count(*) FROM ({ids} EXCEPT ALL {ids})", [str(one), str(other)]).fetchone()
        back = con.execute(f"SELECT count(*) FROM ({ids} EXCEPT ALL {ids})", [str(other), str(one)]).fetchone()
        return counted == back == (0,)
    finally:
        con.close()


@contextmanager
def _no_word_replaced() -> Iterator[None]:
    before = Building.say

    def plainly(self: Building, template: Any, seed: Any, topic: Any, rows: Any, *, reworded: bool) -> dict[str, Any]:
        del reworded
        return before(self, template, seed, topic, rows, reworded=False)

    Building.say = plainly  # type: ignore[method-assign]
    try:
        yield
    finally:
        Building.say = before  # type: ignore[method-assign]
