"""The world `mix`: ordinary people, innocents who look like rings, and rings, as an API provider has them."""

from typing import Final

from linkage.simulate import customers, fraud, innocents
from linkage.simulate.structures import Structure, build
from linkage.simulate.world import World

# Shares of all accounts; median and spread of log-normal sizes, and their bounds.
INNOCENTS: Final = (
    Structure(innocents.household, 0.08, 2.6, 0.35, 2, 5),
    Structure(innocents.relatives, 0.03, 2.6, 0.35, 2, 5),
    Structure(innocents.friends, 0.025, 3.8, 0.3, 3, 6),
    Structure(innocents.own_accounts, 0.03, 2.6, 0.3, 2, 4),
    Structure(innocents.company, 0.045, 9, 1.0, 3, 600),
    Structure(innocents.unverified_company, 0.045, 9, 1.0, 3, 400),
    Structure(innocents.call_centre, 0.015, 22, 0.8, 6, 300),
    Structure(innocents.reseller, 0.025, 40, 0.9, 8, 600),
    Structure(innocents.campus, 0.04, 220, 0.7, 60, 2_000),
    Structure(innocents.course, 0.025, 50, 0.7, 12, 400),
    Structure(innocents.coworking, 0.05, 12, 0.8, 3, 120),
    Structure(customers.evaluator, 0.018, 14, 0.9, 3, 200),
    Structure(customers.framework_user, 0.03, 150, 0.8, 20, 2_000),
    Structure(customers.hackathon, 0.02, 95, 0.4, 50, 200),
    Structure(customers.bot, 0.015, 1, 0.0, 1, 1),
    Structure(customers.public_device, 0.02, 18, 0.8, 4, 150),
    Structure(customers.gateway, 0.02, 90, 0.8, 15, 600),
    Structure(customers.agency, 0.02, 12, 0.7, 4, 80),
    Structure(customers.broken_client, 0.008, 120, 0.5, 20, 2_000),
    Structure(customers.second_hand, 0.006, 2, 0.0, 2, 2),
    Structure(customers.follower, 0.02, 60, 0.8, 10, 600),
    Structure(customers.marketplace, 0.02, 150, 0.8, 20, 2_000),
    Structure(customers.installer, 0.012, 10, 0.7, 3, 60),
)

# Pareto sizes from a least one on; the most is also a fiftieth of all accounts.
RINGS: Final = (
    Structure(fraud.payment_only, 0.008, 0, 0, 3, 3_000, 0.9, True),
    Structure(fraud.ip_pool, 0.010, 0, 0, 6, 20_000, 0.8, True),
    Structure(fraud.template_only, 0.008, 0, 0, 5, 6_000, 0.9, True),
    Structure(fraud.device_only, 0.006, 0, 0, 4, 1_000, 0.9, True),
    Structure(fraud.chain, 0.004, 0, 0, 4, 300, 0.9, True),
    Structure(fraud.star, 0.005, 0, 0, 4, 400, 0.9, True),
    Structure(fraud.mixed, 0.012, 0, 0, 3, 5_000, 0.8, True),
    Structure(fraud.hydra, 0.014, 0, 0, 12, 20_000, 0.6, True),
    Structure(fraud.waves, 0.006, 0, 0, 10, 3_000, 0.9, True),
    Structure(fraud.slow, 0.004, 0, 0, 4, 800, 0.9, True),
    Structure(fraud.camouflage, 0.005, 0, 0, 4, 1_500, 0.9, True),
)


def mix(world: World) -> None:
    """Build it."""
    build(world, (*RINGS, *INNOCENTS))
