"""What the tests have a worker do; the workers import it by name."""

import os
import signal
import time
from pathlib import Path

from disprop import plan


def die_once(number, piece, *, mark, specs, request):
    """The real task, but the worker that comes first to piece 1 is killed in the middle of it."""
    if number == 1 and _first(Path(mark)):
        plan._count_piece(number, piece, specs=specs, request=request)
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)  # so that the death falls in the middle of the run
    return plan._count_piece(number, piece, specs=specs, request=request)


def _first(mark):
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
