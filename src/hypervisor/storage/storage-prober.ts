import { fileURLToPath } from "node:url";
import type { ChainLink } from "./backing-chain.ts";
import type { FileDigest } from "./digest.ts";
import { ExpendableProcess } from "./expendable-process.ts";
import type { LookRequest, StorageFile } from "./file-facts.ts";
import type { Answers, PlacedMarker, Question } from "./questions.ts";

/** Per question, however many files it is about. */
const answerWithinMs = 5_000;
/** How long files may be read for their digests. */
const digestLimitMs = 8_000;

/**
 * Looks at storage in a process of its own, so that a file system that hangs holds up neither the event loop nor a
 * thread of the pool. Disposing ends the process, which removes its markers first; it does so too when its parent ends.
 * Every method throws `SOJ_STORAGE_SILENT` naming the path that does not answer.
 */
export class StorageProber implements Disposable {
  readonly #process = new ExpendableProcess(programPath());

  look(files: readonly LookRequest[]): Promise<StorageFile[]> {
    return this.#ask({ ask: "look", files });
  }

  /** Writes markers, one into the folder of each `real`. */
  place(markers: readonly { real: string; nonce: string }[]): Promise<PlacedMarker[]> {
    return this.#ask({ ask: "place", markers });
  }

  /** Whether the other host's answers show in them. */
  confirm(markers: readonly { nonce: string; answer: string }[]): Promise<boolean[]> {
    return this.#ask({ ask: "confirm", markers });
  }

  digest(paths: readonly string[]): Promise<FileDigest[]> {
    const question = { ask: "digest", paths, limitMs: digestLimitMs } as const;
    return this.#ask(question, digestLimitMs + 2_000);
  }

  /** The files that a closed image needs, itself first. */
  chain(path: string, format: "raw" | "qcow2"): Promise<ChainLink[]> {
    return this.#ask({ ask: "chain", path, format });
  }

  [Symbol.dispose](): void {
    this.#process[Symbol.dispose]();
  }

  async #ask<Asked extends Question>(
    question: Asked,
    withinMs = answerWithinMs,
  ): Promise<Answers[Asked["ask"]]> {
    return (await this.#process.ask(question, withinMs)) as Answers[Asked["ask"]];
  }
}

function programPath(): string {
  const name = import.meta.url.endsWith(".ts") ? "./prober-main.ts" : "./prober-main.js";
  return fileURLToPath(new URL(name, import.meta.url));
}
