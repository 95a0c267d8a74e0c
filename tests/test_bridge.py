"""The weakest bridge of a ring."""

import random
from collections.abc import Sequence

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.bridge import Bridge, Held, weakest_bridge


def held(*ties: tuple[str, str], kind: str = "payment", bits: float = 9.0) -> list[Held]:
    return [Held(account, kind, value, None, bits) for account, value in ties]


def found(ties: Sequence[Held], size: int | None = None) -> Bridge:
    bridge = weakest_bridge(ties, size or len({tie.account_id for tie in ties}))
    assert bridge
    return bridge


@pytest.mark.parametrize("n", [4, 7, 8, 41])
def test_the_weakest_bridge_of_a_chain_is_in_its_middle(n: int) -> None:
    ties = [tie for at in range(n - 1) for tie in held((f"a{at:02}", f"c{at:02}"), (f"a{at + 1:02}", f"c{at:02}"))]
    bridge = found(ties)
    assert bridge.single
    assert bridge.apart == n // 2
    assert bridge.parts == (n - n // 2, n // 2)
    # Of an odd chain there are two middles, and the first is taken.
    assert bridge.values[0].value == f"c{n // 2 - 1:02}"


def test_a_ring_tied_by_one_card_says_so() -> None:
    bridge = found(held(*((f"a{at:02}", "fp_1a2b") for at in range(40))))
    assert (bridge.single, bridge.apart, len(bridge.parts)) == (True, 39, 40)
    assert bridge.bits == 9.0
    said = "Without the payment method fp_1a2b, 40 of its 40 accounts are tied to each other by nothing."
    assert bridge.sentence == said


def test_a_part_that_hangs_on_one_card_is_told() -> None:
    rest = held(*((f"a{at:02}", value) for at in range(28) for value in ("x", "y")))
    ties = [
        *rest,
        *held(*((f"b{at:02}", "z") for at in range(12)), kind="device"),
        *held(("a00", "card"), ("b00", "card")),
    ]
    bridge = found(ties)
    assert (bridge.single, bridge.apart, bridge.parts) == (True, 12, (28, 12))
    # The device that ties the twelve to each other splits off eleven; the card that ties them to the rest, all twelve.
    assert (
        bridge.sentence == "Without the payment method card, 12 of its 40 accounts are tied to the others by nothing."
    )


def test_what_holds_least_where_no_single_value_does() -> None:
    left = held(*((f"a{at}", value) for at in range(4) for value in ("x", "y")))
    right = held(*((f"b{at}", value) for at in range(3) for value in ("u", "v")))
    across = [
        Held("a0", "ip", "one", None, 2.0), Held("b0", "ip", "one", None, 3.0),
        Held("a1", "device", "two", None, 1.0), Held("b1", "device", "two", None, 1.5),
    ]  # fmt: skip
    bridge = found([*left, *right, *across])
    assert (bridge.single, bridge.parts, bridge.apart) == (False, (4, 3), 3)
    assert [(v.kind, v.value, v.members, v.bits) for v in bridge.values] == [
        ("ip", "one", 2, 2.0),
        ("device", "two", 2, 1.0),
    ]
    assert bridge.bits == 3.0
    assert "No single value" in bridge.sentence
    assert "3 of its 7 accounts" in bridge.sentence


def test_nothing_holds_less_than_two_together() -> None:
    assert weakest_bridge([], 3) is None
    assert weakest_bridge(held(("a", "x")), 3) is None
    assert weakest_bridge(held(("a", "x"), ("b", "y")), 2) is None


rings = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 7), st.sampled_from([0.5, 2.0, 7.5])),
    min_size=2, max_size=40, unique_by=lambda tie: tie[:2],
)  # fmt: skip


@given(rings, st.randoms(use_true_random=False))
def test_it_is_what_networkx_finds_whatever_the_order(rows: list[tuple[int, int, float]], order: random.Random) -> None:
    ties = [Held(f"a{a}", "ip", f"v{v}", None, bits) for a, v, bits in rows]
    shuffled = ties[:]
    order.shuffle(shuffled)
    bridge = weakest_bridge(ties, 10)
    assert weakest_bridge(shuffled, 10) == bridge
    graph: nx.Graph[str] = nx.Graph((tie.account_id, tie.value) for tie in ties)
    apart = 0
    for value in {tie.value for tie in ties}:
        piece = graph.subgraph(nx.node_connected_component(graph, value)).copy()
        piece.remove_node(value)
        sizes = [sum(node[0] == "a" for node in part) for part in nx.connected_components(piece)]
        apart = max(apart, sum(sizes) - max(sizes))
    accounts = len({tie.account_id for tie in ties})
    if apart >= 2 or (apart and 4 * apart >= accounts):
        assert bridge is not None
        assert (bridge.single, bridge.apart) == (True, apart)
    elif bridge is not None:
        assert not bridge.single
        # Without all that crosses, the parts are apart.
        graph.remove_nodes_from([value.value for value in bridge.values])
        whole = {len({n for n in part if n[0] == "a"}) for part in nx.connected_components(graph)}
        assert max(whole) <= max(accounts - bridge.apart, bridge.apart)
        assert sum(bridge.parts) <= accounts
