"""The world `mix`: ordinary people, innocents who look like rings, and rings, as an API provider has them."""

from typing import Final

from linkage.simulate import fraud, innocents
from linkage.simulate.structures import Structure, build
from linkage.simulate.world import World

INNOCENTS: Final = (
    #         what                        share  median sigma least most
    Structure(innocents.household, 0.09, 2.6, 0.35, 2, 5),
    Structure(innocents.company, 0.06, 9, 1.0, 3, 600),
    Structure(innocents.unverified_company, 0.06, 9, 1.0, 3, 400),
    Structure(innocents.reseller, 0.03, 45, 0.9, 8, 600),
    Structure(innocents.campus, 0.05, 220, 0.7, 60, 2_000),
    Structure(innocents.course, 0.03, 60, 0.7, 15, 400),
)

RINGS: Final = (
    Structure(fraud.payment_only, 0.015, 0, 0, 3, 3_000, 0.9, True),
    Structure(fraud.ip_pool, 0.02, 0, 0, 6, 20_000, 0.8, True),
    Structure(fraud.template_only, 0.015, 0, 0, 5, 6_000, 0.9, True),
    Structure(fraud.hydra, 0.03, 0, 0, 12, 20_000, 0.7, True),
)


def mix(world: World) -> None:
    """Build it."""
    build(world, (*RINGS, *INNOCENTS))
