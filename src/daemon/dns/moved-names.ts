import { join } from "node:path";
import { z } from "zod";
import { namePattern } from "../../platform/names.ts";
import type { Storage } from "../../platform/storage.ts";

const movedName = z.strictObject({
  guest: z.string().regex(namePattern),
  name: z.string().max(253),
  /** The guest's address at home, and the one that the name leads to, or is about to. */
  home: z.ipv4(),
  /** That gave the guest its other address. */
  migration: z.string().regex(namePattern),
  away: z.ipv4(),
  /** Where it may lead still, from moves before: a server that was away has not been told. */
  earlier: z.array(z.ipv4()).max(100).optional(),
});

const fileSchema = z.strictObject({ names: z.array(movedName) });

/** A guest's name that this host has led away from the guest's home. */
export type MovedName = z.output<typeof movedName>;

/**
 * The names that this host has led elsewhere, on disk: they are set back when their guests have come home or have ended,
 * also by a daemon that did not see it.
 */
export class MovedNames {
  readonly #path: string;
  readonly #storage: Storage;
  readonly #names: Map<string, MovedName>;

  /** A file that is damaged counts as none, and is kept beside the new one: `onDamage` is told. */
  constructor(folder: string, storage: Storage, onDamage: (error: unknown) => void) {
    this.#path = join(folder, "moved-names.json");
    this.#storage = storage;
    this.#names = new Map(this.#read(onDamage).map((one) => [one.guest, one]));
  }

  all(): MovedName[] {
    return [...this.#names.values()];
  }

  get(guest: string): MovedName | undefined {
    return this.#names.get(guest);
  }

  /** Durable when it returns. */
  put(moved: MovedName): void {
    this.#write([...this.all().filter(({ guest }) => guest !== moved.guest), moved]);
    this.#names.set(moved.guest, moved);
  }

  remove(guest: string): void {
    this.#write(this.all().filter((moved) => moved.guest !== guest));
    this.#names.delete(guest);
  }

  #write(names: readonly MovedName[]): void {
    this.#storage.replace(this.#path, `${JSON.stringify({ names }, null, 2)}\n`);
  }

  #read(onDamage: (error: unknown) => void): MovedName[] {
    const bytes = this.#storage.read(this.#path);
    if (bytes === null) return [];
    try {
      return fileSchema.parse(JSON.parse(String(bytes))).names;
    } catch (error) {
      this.#storage.replace(`${this.#path}.damaged`, bytes);
      onDamage(error);
      return [];
    }
  }
}
