"""Tasks on a Dask cluster: each is done on some worker, their results are merged there in a tree, a few come back.

Nothing is known here of records or tallies. What crosses the network is the tasks as given (paths and settings) and
what they return. When a worker dies, the scheduler has its tasks done again elsewhere: a task's result is a value under
its own key, so that however often it was computed it is merged once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from disprop.errors import DispropError, UsageError

TASKS_A_THREAD = 2
"""So many that the last to finish is not waited for long, so few that their results are small beside their work."""
FAN_IN = 8
"""Results merged at a time, and most that come back: so many are merged here as quickly as on a worker, and not sent
twice."""
PATIENCE = "30s"


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """A client of the scheduler at `tcp://host:port`; raises UsageError where there is none."""
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("a cluster needs `distributed`: pip install 'disprop[dask]'") from None
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as why:
        raise UsageError(f"no scheduler answers at {address} ({why}); start one with `dask scheduler`") from None
    with client:
        yield client


def tasks_for(client: Any) -> int:
    """How many tasks keep every thread of the cluster busy; raises UsageError when it has no worker."""
    threads = sum(client.nthreads().values())
    if not threads:
        raise UsageError("the cluster has no worker; start some with `dask worker`")
    return int(TASKS_A_THREAD * threads)


def run(
    client: Any, task: Callable[[int, Any], Any], pieces: Sequence[Any], merge: Callable[[Sequence[Any]], Any]
) -> list[Any]:
    """`task(number, piece)` for every piece, merged in a tree until at most FAN_IN results are left.

    task and merge: functions of a module that the workers can import, or partials of such. `merge` takes one result or
    several, and may be given the result of a merge.

    Raises what a task raised (an error of disprop as it is), and DispropError when workers keep dying of one.
    """
    from distributed.scheduler import KilledWorker

    name = f"disprop-{uuid4().hex}"
    futures = [
        client.submit(task, number, piece, key=f"{name}-{number}", pure=False) for number, piece in enumerate(pieces)
    ]
    level = 0
    while len(futures) > FAN_IN:
        level += 1
        groups = [futures[at : at + FAN_IN] for at in range(0, len(futures), FAN_IN)]
        futures = [
            client.submit(merge, group, key=f"{name}-merge-{level}-{number}", pure=False)
            for number, group in enumerate(groups)
        ]
    try:
        return list(client.gather(futures))
    except KilledWorker as why:
        raise DispropError(f"workers died again and again of one task ({why}); give them more memory") from why
