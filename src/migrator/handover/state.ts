import { join } from "node:path";
import { z } from "zod";
import { preconditionError } from "../../platform/errors.ts";
import { diskStorage, type Storage } from "../../platform/storage.ts";

/**
 * `preparing`, and `undoing` when that fails: nothing has changed for the guests' peers. `activating`: the other anchor is
 * asked to answer, which decides. `switching`: it answers, and the guests' hosts follow. `settling`: nobody needs this
 * anchor any more. `done`, or `undone`.
 */
export const handoverStates = [
  "preparing",
  "activating",
  "switching",
  "settling",
  "done",
  "undoing",
  "undone",
] as const;

export type HandoverState = (typeof handoverStates)[number];

/** The last handover that this anchor began. */
export const storedHandoverSchema = z.strictObject({
  id: z.string(),
  to: z.string(),
  state: z.enum(handoverStates),
  guests: z.array(z.strictObject({ guest: z.string(), address: z.string(), host: z.string() })),
  /** Wall clock. */
  begunMs: z.number(),
  endedMs: z.number().nullable(),
  /** Why it was undone, or is not over yet. */
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
});

export type StoredHandover = z.output<typeof storedHandoverSchema>;

/** One durable file: what is stored decides what a restarted daemon does. */
export class HandoverStore {
  readonly #path: string;
  readonly #storage: Storage;
  #current: StoredHandover | null;

  /** @throws SojournError `SOJ_RECORD_DAMAGED`: whether another anchor answers must not be guessed. */
  constructor(folder: string, storage: Storage = diskStorage) {
    this.#path = join(folder, "handover.json");
    this.#storage = storage;
    const stored = storage.read(this.#path);
    this.#current = stored === null ? null : readStored(stored, this.#path);
  }

  get current(): StoredHandover | null {
    return this.#current;
  }

  /** Durable when it returns. */
  put(handover: StoredHandover): void {
    this.#storage.replace(this.#path, `${JSON.stringify(handover, null, 2)}\n`);
    this.#current = handover;
  }

  clear(): void {
    if (this.#current === null) return;
    this.#storage.remove(this.#path);
    this.#current = null;
  }
}

/** The anchor that has this one's guests, or is about to, until it hands them back; null when this one serves. Pure. */
export function handedOverTo(handover: StoredHandover | null): string | null {
  const isKept = handover?.state === "undoing" || handover?.state === "undone";
  return handover === null || isKept ? null : handover.to;
}

/** False once it is over, either way. Pure. */
export function isUnderWay(handover: StoredHandover | null): handover is StoredHandover {
  return handover !== null && handover.state !== "done" && handover.state !== "undone";
}

function readStored(stored: Buffer, path: string): StoredHandover {
  try {
    return storedHandoverSchema.parse(JSON.parse(String(stored)));
  } catch (cause) {
    throw preconditionError(
      "SOJ_RECORD_DAMAGED",
      `${path} does not say which anchor has the guests' addresses`,
      {
        cause,
        hint: "the kernel's routes stay as they are; repair the file, or remove it once no handover is under way",
      },
    );
  }
}
