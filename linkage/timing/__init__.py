"""Timing: what several accounts do with the same work (a prompt template) at times that chance does not explain.

    bursts     the same work from several accounts within minutes, again and again
    handoffs   a series that stops on one account and goes on on another within minutes
    balance    accounts whose sum is smoother than independent accounts' would be

All three rest on one null model (`permute`): each account keeps its volumes, its hours and its habits of the clock, and
only the minutes of different accounts are independent. `work` makes the columns ready; the accounts of one verified
organisation act as one there, so that an honest fleet is no evidence.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from linkage.timing.balance import balance
from linkage.timing.bursts import bursts
from linkage.timing.handoffs import handoffs
from linkage.timing.work import Events, Finding, traffic

__all__ = ["Events", "Finding", "find"]


def find(events: Events) -> list[Finding]:
    """All findings, sorted by kind and value. The order of the rows changes nothing."""
    ready = traffic(events)
    # Their kernels hold no lock; which ends first makes no difference.
    with ThreadPoolExecutor(max_workers=2) as pool:
        found = pool.map(lambda test: test(ready), (bursts, handoffs, balance))
    return sorted(chain.from_iterable(found), key=lambda finding: (finding.kind, finding.value))
