import { runMigrate } from "../../../src/bench/migrate-process.ts";
import { guestAddress, guestName } from "../../../src/lab/guests.ts";
import { labNodePrefix } from "../../../src/lab/index.ts";
import type { Method, MethodName } from "./methods.ts";

const withinMs = 120_000;

/** `sojourn migrate` of the guest of this number. */
export function sojournMethod(lab: string, name: MethodName, number: number): Method {
  return {
    name,
    address: guestAddress(number),
    move: async (from, to, signal) => {
      const args = ["migrate", guestName(number), "--to", to, "--json", "--no-probe"];
      const commandLine = [...labNodePrefix(lab, from), "sojourn"];
      return runMigrate({ commandLine, args, timeoutMs: withinMs, signal });
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
