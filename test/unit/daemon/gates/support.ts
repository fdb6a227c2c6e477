import type { GateAnswer } from "../../../../src/daemon/gates/answer.ts";
import type { HostGate } from "../../../../src/daemon/gates/host-gates.ts";
import type { AskedQuestion } from "../../../../src/daemon/gates/question.ts";
import type { GateQuestion } from "../../../../src/migrator/gates.ts";

/** What a migration asks in these tests. */
export const question: GateQuestion = {
  point: "armed",
  migration: "m1",
  guest: "web1",
  from: "host-a",
  to: "host-b",
  tunnel: "ipip",
  predictedBlackoutMs: 12.5,
};

export const allow: GateAnswer = { decision: "allow", reason: null };
export const deny: GateAnswer = { decision: "deny", reason: "frozen until Monday" };
export const delayBy = (delay_ms: number): GateAnswer => ({
  decision: "delay",
  delay_ms,
  reason: null,
});

type Step = GateAnswer | Error | Promise<never>;

export interface ScriptedGate extends HostGate {
  asked: AskedQuestion[];
}

/** A gate that answers with one step after the other; the last one for ever. */
export function gateOf(steps: readonly Step[], change: Partial<HostGate> = {}): ScriptedGate {
  const asked: AskedQuestion[] = [];
  return {
    ...{ name: "board", points: ["armed"], guests: ["*"], deadlineMs: 10_000, onNoAnswer: "deny" },
    ask: async (given) => {
      asked.push(given);
      const step = steps[Math.min(asked.length, steps.length) - 1];
      if (step instanceof Error) throw step;
      return await (step as GateAnswer | Promise<never>);
    },
    ...change,
    asked,
  };
}

/** Never resolves. */
export const silence: Promise<never> = new Promise(() => {});
