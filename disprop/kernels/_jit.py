"""The one door to numba and LLVM: `@kernel` turns a plain function over arrays into machine code at its first call.

A kernel is loaded from the cache when it is there, which needs llvmlite only (about 0.05 s); numba itself is imported
only to compile (about 1 s). So importing this module, or a module of kernels, costs nothing. Why it is done
this way, and what the cache promises: docs/decisions/0002-compile-cache.md.

A kernel takes arrays and numbers, writes into arrays whose names begin with `out`, makes no array of its own, and
never raises. It runs without the interpreter lock. With NUMBA_DISABLE_JIT=1 it runs as the Python that it is.
"""

from __future__ import annotations

import ctypes
import hashlib
import inspect
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple, TypeVar

import numpy as np

from disprop.kernels import _cache

_ENTRY = "disprop_entry"
_PARAMETER = re.compile(r"(\w+)((?:\[(?::,)*::1\])?)(\*?)")
_RESULTS: dict[str, Any] = {"void": None, "int64": ctypes.c_int64, "float64": ctypes.c_double}
_BARE: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,  # nothing is called from Python: only the machine code is taken
    "no_cfunc_wrapper": True,
}
_helpers: set[FunctionType] = set()
_kernels: dict[str, Kernel] = {}
_F = TypeVar("_F", bound=Callable[..., Any])


class Parameter(NamedTuple):
    """One parameter of a kernel: a number (`ndim` 0), an array, or (`many`) a sequence of one-dimensional arrays."""

    name: str
    dtype: np.dtype
    ndim: int
    many: bool

    def check(self, value: Any) -> np.ndarray:
        """The array, when machine code can take it as it is; raises TypeError otherwise."""
        fits = isinstance(value, np.ndarray) and value.dtype == self.dtype and value.ndim == self.ndim
        if not (fits and value.flags.c_contiguous and value.flags.aligned):
            raise TypeError(f"{self.name} must be a C-contiguous {self.dtype} array of {self.ndim} dimensions")
        if self.name.startswith("out") and not value.flags.writeable:
            raise TypeError(f"{self.name} is written to, but the array is read-only")
        return value


class Kernel:
    """A function over arrays, and the machine code made from it. Calls check types, then run without the lock."""

    def __init__(self, function: FunctionType, signature: str, wraps: bool) -> None:
        self.function = function
        self.name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        self.result, self.parameters = _parse(signature, function)
        self.wraps = wraps
        self.state = "not used yet"
        self._native: Callable[..., int] | None = None
        self._engine: Any = None  # the machine code lives as long as it does
        self._loading = threading.Lock()
        self.__doc__ = function.__doc__

    def __call__(self, *arguments: Any) -> Any:
        if len(arguments) != len(self.parameters):
            raise TypeError(f"kernel {self.name} takes {len(self.parameters)} arguments, not {len(arguments)}")
        if interpreted():
            return self._interpret(arguments)
        native = self._native or self._load()
        result, error = (_RESULTS[self.result] or ctypes.c_void_p)(), ctypes.c_void_p()
        values = list(_flatten(self.parameters, arguments))
        if native(ctypes.byref(result), ctypes.byref(error), *values):
            raise RuntimeError(f"kernel {self.name} raised an exception, which no kernel may")
        return result.value if self.result != "void" else None

    def _interpret(self, arguments: Sequence[Any]) -> Any:
        for parameter, argument in zip(self.parameters, arguments):
            for array in argument if parameter.many else [argument] if parameter.ndim else []:
                parameter.check(array)
        with np.errstate(over="ignore" if self.wraps else "warn"):
            return self.function(*arguments)

    def _load(self) -> Callable[..., int]:
        with self._loading:
            if self._native is None:
                about = _ingredients(self)
                code, self.state = _cache.fetch(_folder(self.name, about), lambda: _compile(self), about)
                self._engine, self._native = _link(code, self.parameters)
            return self._native


def kernel(signature: str, *, wraps: bool = False) -> Callable[[Callable[..., Any]], Kernel]:
    """Make a function into a kernel.

    signature: the result (`void`, `int64`, `float64`) and the types of the parameters, in numba's notation: `int64` is
        a number, `int32[::1]` a contiguous array, `int32[:,::1]` a contiguous matrix; and `int32[::1]*` is a sequence
        of arrays, whose lengths the kernel must be told.
    wraps: whole numbers of the kernel wrap around on purpose (hashes).

    >>> @kernel("int64(int64[::1])")
    ... def total(numbers):
    ...     result = 0
    ...     for i in range(numbers.size):
    ...         result += numbers[i]
    ...     return result
    >>> int(total(np.arange(5)))
    10
    """

    def door(function: Callable[..., Any]) -> Kernel:
        assert isinstance(function, FunctionType)
        made = Kernel(function, signature, wraps)
        _kernels[made.name] = made
        return made

    return door


def inner(function: _F) -> _F:
    """Mark a function that kernels call. From Python it stays as it is."""
    assert isinstance(function, FunctionType)
    _helpers.add(function)
    return function


@inner
def word(text: np.ndarray, at: int) -> np.uint64:
    """The 8 bytes of `text` from place `at` on as one number, the first byte the least; no place is too odd for it.

    For kernels: in machine code one load, and the place is not checked.
    """
    return np.uint64(int.from_bytes(text[at : at + 8].tobytes(), "little"))


def interpreted() -> bool:
    """Whether kernels run as plain Python (NUMBA_DISABLE_JIT=1)."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def cores() -> int:
    """Processors that this process may use, so threads that pay."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def status() -> dict[str, Any]:
    """How kernels run here: compiled or interpreted, where the cache is, and how each kernel was got."""
    root = _cache.cache_root()
    return {
        "kernels": "interpreted" if interpreted() else "compiled",
        "cache": str(root) if root else None,
        **{name: made.state for name, made in sorted(_kernels.items())},
    }


def _parse(signature: str, function: FunctionType) -> tuple[str, list[Parameter]]:
    result, _, rest = signature.partition("(")
    kinds = _PARAMETER.findall(rest)
    names = inspect.signature(function).parameters
    if result not in _RESULTS or len(kinds) != len(names):
        raise ValueError(f"{function.__name__}: signature {signature!r} does not fit ({', '.join(names)})")
    shapes = [(np.dtype(dtype), shape.count(",") + 1 if shape else 0, bool(many)) for dtype, shape, many in kinds]
    return result, [Parameter(name, *shape) for name, shape in zip(names, shapes)]


# What the machine code depends on, and where it is kept.


def _ingredients(made: Kernel) -> str:
    llvm = _llvm()
    return json.dumps(
        {
            "kernel": made.name,
            "signature": [made.result, *map(repr, made.parameters)],
            "loaded code": [_fingerprint(function) for function in _reached(made.function)],
            "sources": _sources(),
            "python": sys.version,
            "versions": {name: _version(name) for name in ("numba", "llvmlite", "numpy", "scipy")},
            "settings": {name: value for name, value in sorted(os.environ.items()) if name.startswith("NUMBA_")},
            "machine": [llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()],
        },
        indent=1,
    )


def _sources() -> dict[str, str]:
    """File name -> SHA-256 of every file of this folder; empty where they cannot be read (a zip, .pyc files only)."""
    try:
        files = sorted(Path(__file__).parent.glob("*.py"))
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    except OSError:
        return {}


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return str(import_module(package).__version__)


def _reached(function: FunctionType) -> list[FunctionType]:
    """A kernel's function and every helper that it calls, at any depth."""
    return [function, *(deeper for helper in _called(function).values() for deeper in _reached(helper))]


def _called(function: FunctionType) -> dict[str, FunctionType]:
    found = {name: function.__globals__.get(name) for name in function.__code__.co_names}
    return {name: value for name, value in found.items() if isinstance(value, FunctionType) and value in _helpers}


def _fingerprint(function: FunctionType) -> str:
    """What was really loaded: a source file may have been edited since, or a stale .pyc may stand for it."""
    code = function.__code__
    constants = {
        name: function.__globals__[name]
        for name in code.co_names
        if isinstance(function.__globals__.get(name), (int, float, np.generic))
    }
    loaded = repr((code.co_code, code.co_consts, code.co_names, code.co_varnames, constants))
    return hashlib.sha256(loaded.encode()).hexdigest()


def _folder(name: str, about: str) -> Path | None:
    root = _cache.cache_root()
    if root is None or not json.loads(about)["sources"]:
        return None
    return root / "kernels" / f"{name}-{hashlib.sha256(about.encode()).hexdigest()}"


# From Python to machine code: numba makes LLVM's language, LLVM makes an object file.


def _compile(made: Kernel) -> bytes:
    import numba

    namespace: dict[str, Any] = {"function": _compilable(made.function, {}), "carray": numba.carray}
    exec(_entry_source(made.parameters), namespace)
    signature = getattr(numba.types, made.result)(*_entry_types(made.parameters))
    entry = numba.njit(signature, **_BARE)(namespace[_ENTRY])
    return _emit(made.name, entry.inspect_llvm(entry.signatures[0]))


def _compilable(function: FunctionType, known: dict[FunctionType, Any]) -> Any:
    """The function as numba takes it, its helpers too; `known` are those made before, so that each is compiled once."""
    import numba

    if function is word:
        return _one_load()
    if function not in known:
        helpers = {name: _compilable(helper, known) for name, helper in _called(function).items()}
        own = FunctionType(function.__code__, {**function.__globals__, **helpers}, function.__name__)
        known[function] = numba.njit(forceinline=True, **_BARE)(own)
    return known[function]


@cache
def _one_load() -> Any:
    """`word` as LLVM's language has it."""
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    def load(_: Any, text: Any, at: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            start = context.make_array(text)(context, builder, arguments[0]).data
            place = builder.bitcast(builder.gep(start, [arguments[1]]), ir.IntType(64).as_pointer())
            return builder.load(place, align=1)

        return types.uint64(text, types.int64), emit

    return intrinsic(load)


def _entry_source(parameters: Sequence[Parameter]) -> str:
    """A function of addresses and lengths alone, which the kernel sees as arrays."""
    names, values = [], []
    for number, parameter in enumerate(parameters):
        lengths = [f"p{number}_{axis}" for axis in range(0 if parameter.many else parameter.ndim)]
        names += [f"p{number}", *lengths]
        values.append(f"carray(p{number}, ({', '.join(lengths)},))" if lengths else f"p{number}")
    return f"def {_ENTRY}({', '.join(names)}):\n    return function({', '.join(values)})\n"


def _entry_types(parameters: Sequence[Parameter]) -> Iterator[Any]:
    from numba import types

    for parameter in parameters:
        kind = getattr(types, parameter.dtype.name)
        for _ in range(parameter.many + bool(parameter.ndim)):
            kind = types.CPointer(kind)
        yield kind
        yield from [types.int64] * (0 if parameter.many else parameter.ndim)


def _emit(name: str, assembly: str) -> bytes:
    llvm = _llvm()
    module = llvm.parse_assembly(assembly)
    defined = [function for function in module.functions if not function.is_declaration]
    (entry,) = [function for function in defined if _ENTRY in function.name]
    entry.name = _ENTRY
    for function in defined:
        if function.name.startswith("NRT_"):
            function.linkage = llvm.Linkage.available_externally  # numba leaves it there unused: keep it out
        else:
            _refuse_borrowed(name, str(function))
    return _machine().emit_object(module)


def _refuse_borrowed(name: str, assembly: str) -> None:
    """A kernel that calls into numba or Python would not run where numba is not imported."""
    borrowed = sorted({call for call in re.findall(r'@"?(\w+)"?\(', assembly) if re.match("NRT_|numba_|_?Py", call)})
    if borrowed:
        raise RuntimeError(f"kernel {name} calls {', '.join(borrowed)}: it may make no array and raise no error")


def _llvm() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def _machine() -> Any:
    llvm = _llvm()
    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    return llvm.Target.from_default_triple().create_target_machine(cpu=cpu, features=features, opt=3, jit=True)


# From machine code to a call.


def _link(code: bytes, parameters: Sequence[Parameter]) -> tuple[Any, Callable[..., int]]:
    """The engine that holds the machine code, and the function to call."""
    llvm = _llvm()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *_c_types(parameters))
    return engine, prototype(engine.get_function_address(_ENTRY))


def _c_types(parameters: Sequence[Parameter]) -> Iterator[Any]:
    for parameter in parameters:
        if parameter.many or parameter.ndim:
            yield ctypes.c_void_p
            yield from [ctypes.c_int64] * (0 if parameter.many else parameter.ndim)
        else:
            yield np.ctypeslib.as_ctypes_type(parameter.dtype)


def _flatten(parameters: Sequence[Parameter], arguments: Sequence[Any]) -> Iterator[Any]:
    """The addresses, lengths and numbers that the machine code takes."""
    for parameter, argument in zip(parameters, arguments):
        if parameter.many:
            yield (ctypes.c_void_p * len(argument))(*[parameter.check(array).ctypes.data for array in argument])
        elif parameter.ndim:
            yield parameter.check(argument).ctypes.data
            yield from argument.shape
        else:
            yield argument
