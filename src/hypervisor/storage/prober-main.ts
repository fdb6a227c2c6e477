import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { monotonicMs } from "../../platform/clock.ts";
import { backingChain } from "./backing-chain.ts";
import { digestOf } from "./digest.ts";
import { lookAt } from "./file-facts.ts";
import { Marker } from "./marker.ts";
import type { Answers, PlacedMarker, Question } from "./questions.ts";
import { systemReason } from "./system-reason.ts";

/*
 * The program of `StorageProber`: one question a line on standard input, one answer a line on standard output. At the
 * end of its input it removes what it has written, and ends.
 */

const markers = new Map<string, Marker>();

function answer(question: Question): Answers[Question["ask"]] {
  switch (question.ask) {
    case "look":
      return question.files.map((file) => {
        announce(file.path);
        return lookAt(file);
      });
    case "place":
      return question.markers.map(({ real, nonce }) => {
        announce(real);
        return place(real, nonce);
      });
    case "confirm":
      return confirm(question.markers);
    case "digest": {
      const deadlineMs = monotonicMs() + question.limitMs;
      return question.paths.map((path) => {
        announce(path);
        return digestOf(path, deadlineMs);
      });
    }
    case "chain":
      announce(question.path);
      return backingChain(question.path, question.format);
  }
}

function place(real: string, nonce: string): PlacedMarker {
  try {
    const marker = new Marker(real, { nonce });
    markers.set(nonce, marker);
    return { reason: null, isLocked: marker.isLocked };
  } catch (error) {
    return { reason: systemReason(error), isLocked: false };
  }
}

/** Some clients of network file systems believe for a moment what they knew of a file's length. */
function confirm(wanted: readonly { nonce: string; answer: string }[]): boolean[] {
  for (let attempt = 1; ; attempt += 1) {
    const answers = wanted.map(({ nonce, answer }) => hasAnswer(nonce, answer));
    if (!answers.includes(false) || attempt === confirmAttempts) return answers;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, confirmPauseMs);
  }
}

const confirmAttempts = 4;
const confirmPauseMs = 250;

function hasAnswer(nonce: string, answer: string): boolean {
  try {
    return markers.get(nonce)?.hasAnswer(answer) ?? false;
  } catch {
    return false;
  }
}

/** Before anything that may hang. */
function announce(path: string): void {
  writeSync(1, `#${path.replaceAll("\n", " ")}\n`);
}

try {
  for await (const line of createInterface({ input: process.stdin })) {
    writeSync(1, `${JSON.stringify(answer(JSON.parse(line) as Question))}\n`);
  }
} finally {
  // Also when nobody is left to be answered.
  for (const marker of markers.values()) marker[Symbol.dispose]();
}
