import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AskedQuestion } from "../../../src/daemon/gates/question.ts";
import { type GatePoint, gatePoints } from "../../../src/migrator/gates.ts";

/** A gate of a lab's host: a program that says at each point what the test has put down for it. */
export class ScriptedGate implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "sojourn-gate-"));

  constructor() {
    writeFileSync(this.program, script, { mode: 0o755 });
    this.allowAll();
  }

  /** Path of the program. */
  get program(): string {
    return `${this.#folder}/gate`;
  }

  /** Its section of a host's configuration. */
  get toml(): string {
    return [
      "[[gates]]",
      'name = "board"',
      `points = [${gatePoints.map((point) => `"${point}"`).join(", ")}]`,
      `exec = "${this.program}"`,
      "deadline_ms = 20000",
    ].join("\n");
  }

  allowAll(): void {
    for (const point of gatePoints) this.say(point, { decision: "allow" });
  }

  /** What it answers at a point from now on; `first` only to the next question. */
  say(point: GatePoint, answer: object, first?: object): void {
    writeFileSync(`${this.#folder}/gate.${point}`, JSON.stringify(answer));
    if (first !== undefined) {
      writeFileSync(`${this.#folder}/gate.${point}.first`, JSON.stringify(first));
    }
  }

  /** It does not answer at this point until the test says something else. */
  fallSilent(point: GatePoint): void {
    writeFileSync(`${this.#folder}/gate.${point}`, "silence");
  }

  /** The last question at this point. */
  asked(point: GatePoint): AskedQuestion {
    return JSON.parse(readFileSync(`${this.#folder}/gate.asked.${point}`, "utf8"));
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const script = `#!/bin/sh
cat > "$0.asked.$SOJOURN_POINT"
answer="$0.$SOJOURN_POINT"
if [ -e "$answer.first" ]; then
  cat "$answer.first"
  rm "$answer.first"
elif [ "$(cat "$answer")" = silence ]; then
  sleep 60
else
  cat "$answer"
fi
`;
