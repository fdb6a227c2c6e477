# shellcheck shell=bash
# The tunnel's BPF programs: src/tunnels/bpf/NAME.bpf.c to build/bpf/NAME.bpf.o.

ensure_bpf() {
  local source object headers
  shopt -s nullglob
  headers=("$root"/src/tunnels/bpf/*.h)
  for source in "$root"/src/tunnels/bpf/*.bpf.c; do
    object="$build/bpf/$(basename "$source" .c).o"
    newer_than "$object" "$source" "${headers[@]}" || continue
    say "compiling ${source#"$root/"}"
    mkdir -p "$build/bpf"
    # Debian keeps asm/ below the machine's triplet, where clang does not look for the bpf target.
    clang -O2 -g -Wall -Werror -target bpf -I "/usr/include/$(gcc -dumpmachine)" \
      -c "$source" -o "$object.new" || die "compiling ${source#"$root/"} failed"
    mv "$object.new" "$object"
  done
  shopt -u nullglob
}
