# What every script shares: where things are, and how to say so. Sourced, not run.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TOOLS=${HOMEIQ_TOOLS:-$ROOT/.tools} # interpreter, uv and the embedded database, where the machine has none
VENVS=$ROOT/.venvs
UV=$TOOLS/bin/uv
PYTHON_LINK=$TOOLS/bin/python3.14
# The interpreter itself, not the link: an environment made from a link would look for its library beside the link.
resolved_python() { readlink -f "$PYTHON_LINK" 2>/dev/null || echo "$PYTHON_LINK"; }
PYTHON=$(resolved_python)
export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 PYTHONDONTWRITEBYTECODE=${PYTHONDONTWRITEBYTECODE-}

say() { printf '\033[2m• %s\033[0m\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}
