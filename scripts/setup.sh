#!/bin/sh
# Makes the virtual environment that `make demo` and `make test` use:  setup.sh PYTHON VENV
# Whatever is missing on the machine is named in one line, with what to type; a half-made environment never stays behind.
set -eu

python=$1
venv=$2

stop() {
    echo "itbpump: $1" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 ||
    stop "no '$python' found. Install Python 3.11 or newer, or name the one you have: make setup PY=python3.12"

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    stop "Python 3.11 or newer is needed, '$python' is $("$python" -c 'import platform; print(platform.python_version())'). Name a newer one: make setup PY=python3.12"

# A folder left by an interrupted run, or one whose Python has since been removed, cannot run pip; it is made again.
if [ -e "$venv" ] && ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$venv"
fi

if [ ! -e "$venv" ]; then
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        stop "this Python cannot make a virtual environment. On Debian or Ubuntu type: sudo apt install python3-venv"
    if ! "$python" -m venv "$venv"; then
        rm -rf "$venv"
        stop "'$python -m venv $venv' failed; the reason stands above. Nothing was left behind"
    fi
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        rm -rf "$venv"
        stop "this Python makes environments without pip. On Debian or Ubuntu type: sudo apt install python3-pip python3-venv"
    fi
fi

echo "itbpump: installing into $venv; the first time takes about half a minute"
pip() {
    "$venv/bin/python" -m pip --disable-pip-version-check -qq "$@" ||
        stop "an install step failed; the reason stands above. 'make setup' goes on from here, 'make clean setup' starts afresh"
}
pip install --require-hashes --requirement requirements.lock
pip install --no-build-isolation --no-deps --editable .
