import { join } from "node:path";
import { reasonOf } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";
import { namePattern } from "../../platform/names.ts";
import type { Storage } from "../../platform/storage.ts";
import { type StoredEvacuation, storedEvacuationSchema } from "./state.ts";

/** So many are kept; of those that have ended the oldest go first. */
const keptEvacuations = 20;

/** What is stored. */
export interface StoredEvacuations {
  /** Newest first. */
  evacuations: StoredEvacuation[];
  /** Files that cannot be read: one of them may be of an evacuation that is not over. */
  damaged: { path: string; reason: string }[];
}

/** The evacuations of this host, each a file that is replaced durably on every change. */
export class EvacuationStore {
  readonly #folder: string;
  readonly #storage: Storage;
  readonly #logger: Logger;

  constructor(folder: string, storage: Storage, logger: Logger) {
    this.#folder = folder;
    this.#storage = storage;
    this.#logger = logger;
  }

  /** Never throws: what cannot be read is told, and is no reason for the daemon not to start. */
  readAll(): StoredEvacuations {
    const found: StoredEvacuations = { evacuations: [], damaged: [] };
    for (const path of this.#paths(found)) {
      try {
        found.evacuations.push(this.#read(path));
      } catch (error) {
        found.damaged.push({ path, reason: reasonOf(error) });
      }
    }
    found.evacuations.sort((one, other) => other.started_ms - one.started_ms);
    return found;
  }

  /** Durable when it returns. @throws the system's error. */
  put(evacuation: StoredEvacuation): void {
    this.#storage.makeFolder(this.#folder);
    this.#storage.replace(this.#path(evacuation.id), `${JSON.stringify(evacuation)}\n`);
  }

  /** Forgets the oldest of those that have ended. @returns those that stay. */
  prune(newestFirst: readonly StoredEvacuation[]): StoredEvacuation[] {
    return newestFirst.filter((evacuation, index) => {
      if (index < keptEvacuations || evacuation.ended_ms === null) return true;
      try {
        this.#storage.remove(this.#path(evacuation.id));
        return false;
      } catch (error) {
        const { id } = evacuation;
        this.#logger.warn({ evacuation: id, err: error }, "an old evacuation cannot be removed");
        return true;
      }
    });
  }

  #paths(found: StoredEvacuations): string[] {
    try {
      this.#storage.makeFolder(this.#folder);
      const names = this.#storage.list(this.#folder).filter((name) => name.endsWith(".json"));
      return names.map((name) => join(this.#folder, name));
    } catch (error) {
      found.damaged.push({ path: this.#folder, reason: reasonOf(error) });
      return [];
    }
  }

  #read(path: string): StoredEvacuation {
    const stored = storedEvacuationSchema.parse(JSON.parse(String(this.#storage.read(path))));
    if (this.#path(stored.id) === path && namePattern.test(stored.id)) return stored;
    throw new Error(`it holds evacuation ${stored.id}`);
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.json`);
  }
}
