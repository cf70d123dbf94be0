"""The named result of every interval, and the checks that every interval makes first."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disprop.errors import UsageError

FloatArray: TypeAlias = NDArray[np.float64]
Limits: TypeAlias = tuple[FloatArray, FloatArray]
Floats: TypeAlias = Any  # a float where every argument was a scalar, else a float64 array

Choice = TypeVar("Choice")


class Interval(NamedTuple):
    """An estimate between its limits: Python floats for scalar arguments, float64 arrays otherwise."""

    estimate: Floats
    low: Floats
    high: Floats


def interval(estimate: FloatArray, low: FloatArray, high: FloatArray) -> Interval:
    """The result as the caller sees it: a 0-d array becomes a Python float."""
    return Interval(*(column if np.ndim(column) else float(column) for column in (estimate, low, high)))


def choose(method: str, methods: Mapping[str, Choice], function: str) -> Choice:
    """The method of that name; the error lists the names and the nearest one."""
    if method in methods:
        return methods[method]
    near = get_close_matches(str(method), methods, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UsageError(f"{function} has no method {method!r}: choose one of {', '.join(methods)}.{hint}")


def aligned(*, confidence: ArrayLike, **counts: ArrayLike) -> list[FloatArray]:
    """The counts in the order given, then the error left outside each limit, all of one shape.

    A missing count (NaN) is let through and gives NaN; a negative or infinite one is refused.
    """
    arrays = {name: _numbers(name, values) for name, values in counts.items()}
    for name, values in arrays.items():
        _refuse(name, values, (values < 0) | np.isinf(values), "a finite number, 0 or more, or NaN where it is missing")
    level = _numbers("confidence", confidence)
    _refuse("confidence", level, ~((level > 0) & (level < 1)), "a number between 0 and 1, such as 0.95")
    return _broadcast({**arrays, "confidence": (1 - level) / 2})


def refuse_more(part_name: str, part: FloatArray, whole_name: str, whole: FloatArray) -> None:
    """No more events than trials: each event is one of the trials."""
    wrong = part > whole
    if np.any(wrong):
        i = np.flatnonzero(wrong)[0]
        raise UsageError(
            f"{part_name} is {part.flat[i]:g} where {whole_name} is {whole.flat[i]:g}{_place(part, i)}: "
            f"each of {part_name} must be one of {whole_name}. For counts over an exposure, use a rate interval."
        )


def refuse_narrower(dispersion: FloatArray) -> None:
    """A dispersion makes limits wider, never narrower than chance alone makes them."""
    if np.any(dispersion < 1):
        raise UsageError(
            f"dispersion is {np.nanmin(dispersion):g}: it must be 1 or more, since a dispersion below 1 "
            "would narrow the interval; use max(1, dispersion)."
        )


def _numbers(name: str, values: ArrayLike) -> FloatArray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} must be a number or an array of numbers; got {values!r:.80}") from error


def _refuse(name: str, values: FloatArray, wrong: NDArray[np.bool_], wanted: str) -> None:
    if np.any(wrong):
        i = np.flatnonzero(wrong)[0]
        raise UsageError(f"{name} is {values.flat[i]:g}{_place(values, i)}: it must be {wanted}.")


def _place(values: FloatArray, i: int) -> str:
    return f" (row {i})" if values.ndim else ""


def _broadcast(arrays: Mapping[str, FloatArray]) -> list[FloatArray]:
    try:
        return list(np.broadcast_arrays(*arrays.values()))
    except ValueError as error:
        shapes = ", ".join(f"{name} {values.shape}" for name, values in arrays.items())
        raise UsageError(f"the arguments have shapes that do not go together: {shapes}") from error
