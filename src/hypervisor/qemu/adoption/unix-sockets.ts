/** A listening unix socket of a network namespace. */
export interface ListeningSocket {
  inode: number;
  /** As it was bound: absolute, or relative to the binder's folder of then. */
  path: string;
}

/** The listening sockets with a path that /proc/PID/net/unix tells of (proc_pid_net(5)). Pure. */
export function listeningSockets(table: string): ListeningSocket[] {
  return table.split("\n").flatMap((line) => {
    const match = /^[0-9a-fA-F]+: [0-9A-F]+ [0-9A-F]+ ([0-9A-F]{8}) \d+ \d+ +(\d+) (.+)$/.exec(
      line,
    );
    if (match === null) return [];
    const [, flags = "0", inode, path = ""] = match;
    const isListening = (Number.parseInt(flags, 16) & acceptsConnections) !== 0;
    // Those that begin with @ are of no file system.
    return isListening && !path.startsWith("@") ? [{ inode: Number(inode), path }] : [];
  });
}

/** __SO_ACCEPTCON of include/linux/net.h. */
const acceptsConnections = 0x10000;
