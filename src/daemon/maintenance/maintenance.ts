import { join } from "node:path";
import { z } from "zod";
import type { MaintenanceState } from "../../migrator/maintenance.ts";
import { wallClockMs } from "../../platform/clock.ts";
import { SojournError } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";
import { diskStorage, type Storage } from "../../platform/storage.ts";

/** Longest text that says why a host is in maintenance. */
export const longestReason = 200;

const storedSchema = z.strictObject({
  /** Wall clock. */
  sinceMs: z.number(),
  reason: z.string().max(longestReason).nullable(),
});

/** Since when, and why; times are null where the file does not tell. */
export interface MaintenanceRecord {
  sinceMs: number | null;
  reason: string | null;
}

/** Whether this host is in maintenance, also after a restart: one durable file, which is there for as long as it is. */
export class Maintenance implements MaintenanceState {
  readonly #path: string;
  readonly #storage: Storage;
  #current: MaintenanceRecord | null;
  /** Id of the evacuation that empties this host just now; null without one. Given by whoever runs them. */
  evacuation: () => string | null = () => null;

  /** A file that cannot be read counts as maintenance: one guest more may be what the operator wanted to keep away. */
  constructor(folder: string, logger: Logger, storage: Storage = diskStorage) {
    this.#path = join(folder, "maintenance.json");
    this.#storage = storage;
    this.#current = readStored(storage, this.#path);
    if (this.#current?.sinceMs === null)
      logger.warn({ path: this.#path }, "maintenance is taken to be on: the file is damaged");
  }

  get isOn(): boolean {
    return this.#current !== null;
  }

  /** Null outside of it. */
  get current(): MaintenanceRecord | null {
    return this.#current;
  }

  /**
   * Durable when it returns. On again it began when it began; a new reason takes the place of the one before.
   * @throws SojournError `SOJ_MAINTENANCE_UNSTORED` when the disk refuses; nothing has changed then.
   */
  begin(reason: string | null = null): void {
    const { sinceMs, reason: earlier } = this.#current ?? { sinceMs: null, reason: null };
    const record = {
      sinceMs: sinceMs ?? Math.round(wallClockMs()),
      reason: reason?.slice(0, longestReason) ?? earlier,
    };
    this.#store(() => this.#storage.replace(this.#path, `${JSON.stringify(record, null, 2)}\n`));
    this.#current = record;
  }

  /**
   * Durable when it returns.
   * @throws SojournError `SOJ_EVACUATION_RUNNING` (409) while this host is emptied; as `begin`.
   */
  end(): void {
    const id = this.evacuation();
    if (id !== null) throw stillEvacuated(id);
    this.#store(() => this.#storage.remove(this.#path));
    this.#current = null;
  }

  #store(change: () => void): void {
    try {
      change();
    } catch (cause) {
      const { message } = cause as Error;
      throw new SojournError(
        "SOJ_MAINTENANCE_UNSTORED",
        `maintenance is as it was, and no guest was touched: ${this.#path} cannot be changed: ${message}`,
        { cause, retryable: true, hint: "sojourn doctor looks at the state folder" },
      );
    }
  }
}

function readStored(storage: Storage, path: string): MaintenanceRecord | null {
  try {
    const stored = storage.read(path);
    return stored === null ? null : storedSchema.parse(JSON.parse(String(stored)));
  } catch {
    return { sinceMs: null, reason: "its file cannot be read; sojourn maintenance off removes it" };
  }
}

function stillEvacuated(id: string): SojournError {
  return new SojournError(
    "SOJ_EVACUATION_RUNNING",
    `evacuation ${id} empties this host: guests would come back while others leave`,
    {
      ...{ exitCode: 3, httpStatus: 409, guestState: "untouched" },
      hint: `sojourn evacuation watch ${id} waits for its end, sojourn evacuation cancel ${id} takes back what has not begun`,
    },
  );
}
