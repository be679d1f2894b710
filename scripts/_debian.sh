# Fetches Debian packages into a private folder; the machine's own packages and lists stay as they are.
# Sourced by scripts/setup. Needs apt-get, dpkg and the machine's own Debian sources; root is not needed.

DEBIAN_SUITE=${HOMEIQ_DEBIAN_SUITE:-forky} # the first Debian release that has python3.14

# debian_mirror: prints "URI<TAB>keyring" of the machine's own main archive, in either sources format.
debian_mirror() {
  awk '
    /^URIs:/ { uri = $2 }
    /^Signed-By:/ { key = $2 }
    /^Suites:/ { suite = $2 }
    /^$/ { emit() }
    END { emit() }
    function emit() {
      if (uri != "" && suite !~ /security/ && !done) { print uri "\t" key; done = 1 }
      uri = key = suite = ""
    }' /etc/apt/sources.list.d/debian.sources 2>/dev/null | grep . && return
  awk '$1 == "deb" {
      key = ""
      for (i = 2; i <= NF; i++) if ($i ~ /signed-by=/) { key = $i; gsub(/.*signed-by=|\]/, "", key) }
      for (i = 2; i <= NF; i++) if ($i ~ /^https?:/ && $i !~ /security/) { print $i "\t" key; exit }
    }' /etc/apt/sources.list 2>/dev/null | grep .
}

# debian_apt STATE ARG...: apt-get with its own lists, cache and status in STATE.
debian_apt() {
  local state=$1 mirror uri key
  shift
  if [ ! -f "$state/apt.conf" ]; then
    mirror=$(debian_mirror) || die "No Debian archive found in /etc/apt: install Python 3.14.2 or newer yourself, so that 'python3.14' runs."
    uri=${mirror%%$'\t'*} key=${mirror#*$'\t'}
    key=${key:-/usr/share/keyrings/debian-archive-keyring.gpg}
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/empty"
    : >"$state/status"
    printf 'deb [signed-by=%s] %s %s main\n' "$key" "$uri" "$DEBIAN_SUITE" >"$state/sources.list"
    cat >"$state/apt.conf" <<CONF
Dir::State "$state";
Dir::State::lists "$state/lists";
Dir::State::status "$state/status";
Dir::Cache "$state/cache";
Dir::Etc::sourcelist "$state/sources.list";
Dir::Etc::sourceparts "$state/empty";
Dir::Etc::preferencesparts "$state/empty";
Acquire::Languages "none";
APT::Sandbox::User "";
APT::Get::List-Cleanup "0";
CONF
  fi
  APT_CONFIG="$state/apt.conf" apt-get -q "$@"
}

# debian_unpack STATE ROOT PACKAGE...: downloads the packages and unpacks them below ROOT.
debian_unpack() {
  local state=$1 root=$2 archive
  shift 2
  [ -n "$(ls "$state"/lists/*Packages* 2>/dev/null)" ] ||
    debian_apt "$state" update >"$state.log" 2>&1 ||
    die "The Debian package lists could not be read (log: $state.log): check the network, then try again."
  mkdir -p "$root" "$state/deb"
  (cd "$state/deb" && debian_apt "$state" download "$@" >>"$state.log" 2>&1) ||
    die "Debian packages could not be fetched (log: $state.log): check the network, then try again."
  for archive in "$state"/deb/*.deb; do
    dpkg -x "$archive" "$root" || die "Could not unpack $archive: delete ${state} and try again."
  done
  rm -rf "$state/deb"
}
