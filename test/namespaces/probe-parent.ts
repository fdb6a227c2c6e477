import { startProber } from "../../src/probe/prober.ts";

/** A parent that is killed while its prober runs: `node probe-parent.ts HOST PORT`. */
const [host = "", port = ""] = process.argv.slice(2);
const prober = await startProber({ kind: "tcp-echo", host, port: Number(port) });
process.stdout.write(`ready ${prober.readyMs}\n`);
await prober.exited;
