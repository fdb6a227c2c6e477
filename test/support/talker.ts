import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { findTool } from "../../src/platform/command.ts";
import { type Namespace, nodePath } from "./namespaces.ts";

/** Longer than a packet takes on a busy machine, with some that are sent again. */
const patienceMs = 5_000;

const driver = fileURLToPath(new URL("./talker-driver.ts", import.meta.url));

/** A program in a namespace that serves TCP port 7 and has sessions with others of its kind. */
export interface Talker extends AsyncDisposable {
  /**
   * Opens a session with another's port 7.
   * @returns the address that the other sees; `silence`, or an errno's name, when there is none.
   */
  open(name: string, address: string): Promise<string>;
  /** Sends so many bytes over a session and has them back. Returns the same. */
  say(name: string, bytes?: number): Promise<string>;
  /** Sends a byte to which no answer comes soon. */
  sayInVain(name: string): Promise<void>;
}

export async function startTalker(namespace: Namespace): Promise<Talker> {
  const child = spawn(
    findTool("nsenter"),
    [`--net=/run/netns/${namespace.name}`, nodePath, driver],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<string> => {
    const line = await lines.next();
    if (line.done) throw new Error(`the talker in ${namespace.name} ended`);
    return JSON.parse(line.value);
  };
  const ask = (request: object) => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    return answer();
  };
  await answer();
  return {
    open: (name, address) => ask({ ask: "open", name, address, patienceMs }),
    say: (name, bytes = 1) => ask({ ask: "say", name, bytes, patienceMs }),
    async sayInVain(name) {
      const answer = await ask({ ask: "say", name, bytes: 1, patienceMs: 250 });
      if (answer !== "silence") throw new Error(`${name} was answered: ${answer}`);
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.stdin.end();
      await exited;
    },
  };
}
