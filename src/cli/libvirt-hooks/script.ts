/** What tells our hook from somebody else's. */
export const hookMark = "# Made by Sojourn: sojourn libvirt install-hooks";

/** The exit status of `sojourn libvirt hook` that means no; every other one, a crash too, means nothing. */
export const refusalStatus = 10;

/**
 * The hook as a shell script (https://libvirt.org/hooks.html). It starts Sojourn only for what Sojourn has a say in, and
 * whatever becomes of Sojourn keeps nobody's domain from starting or moving. A domain's name may look like an option.
 * @param program absolute path of `sojourn`
 * @param socketPath of the daemon; null for its own choice
 */
export function hookScript(program: string, socketPath: string | null): string {
  return `#!/bin/sh
${hookMark}
# Removed by: sojourn libvirt install-hooks --remove
case "\${2:-}/\${3:-}" in
  migrate/begin | prepare/begin) ;;
  *) exit 0 ;;
esac
sojourn=${quoted(program)}
[ -x "$sojourn" ] || exit 0
${socketPath === null ? "" : `export SOJOURN_SOCKET=${quoted(socketPath)}\n`}answer=$("$sojourn" libvirt hook -- "$2" "$1")
case $? in
  0) [ -z "$answer" ] || printf '%s\\n' "$answer" ;;
  ${refusalStatus}) exit 1 ;;
esac
exit 0
`;
}

/** A word of a shell script. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
