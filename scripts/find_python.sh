#!/bin/sh
# Prints the first Python 3.11 or newer that runs and can make a virtual environment. PYTHON=... names one instead.
# Names that do not exist, shims that fail and older versions are passed over; the local .venv is asked first.

runs() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' </dev/null >/dev/null 2>&1; }
can_make_venv() { "$1" -c 'import venv, ensurepip' </dev/null >/dev/null 2>&1; }
version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }
refuse() { echo "disprop: $1" >&2; exit 1; }

if [ -n "${PYTHON:-}" ]; then
    set -- "$PYTHON"
else
    set -- .venv/bin/python python3.14 python3.13 python3.12 python3.11 python3 python
fi

without_venv=
for candidate; do
    runs "$candidate" || continue
    if can_make_venv "$candidate"; then
        command -v "$candidate"
        exit 0
    fi
    without_venv="${without_venv:-$candidate}"
done

if [ -n "$without_venv" ]; then
    refuse "$without_venv cannot make a virtual environment: install its venv module (Debian, Ubuntu: apt install python$(version "$without_venv")-venv), then run make again"
elif [ -n "${PYTHON:-}" ]; then
    refuse "PYTHON=$PYTHON is not a Python 3.11 or newer that runs: name one that is, or leave PYTHON out"
fi
refuse "no Python 3.11 or newer was found: install one (Debian, Ubuntu: apt install python3 python3-venv), or name one with make PYTHON=/path/to/python3"
