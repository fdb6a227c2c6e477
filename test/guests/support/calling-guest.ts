import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder that is laid over a lab guest's file system; disposing removes it. */
export interface GuestOverlay extends Disposable {
  folder: string;
}

/** A guest that calls a port of the client's, or another machine's, again and again, and then sends back what it hears there. */
export function echoingCaller(port: number, address = "192.0.2.2"): GuestOverlay {
  const folder = mkdtempSync(join(tmpdir(), "sojourn-calls-"));
  mkdirSync(join(folder, "etc"));
  const call = `nc -w 5 ${address} ${port} <"$answers" | tee "$answers" >/dev/null`;
  const script = `#!/bin/sh\nanswers=/tmp/answers-${port}\nmkfifo "$answers"\nwhile :; do ${call}; sleep 0.3; done >/dev/null 2>&1\n`;
  writeFileSync(join(folder, "etc/rc.local"), script, { mode: 0o755 });
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}
