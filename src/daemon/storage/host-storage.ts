import type { FileDigest } from "../../hypervisor/storage/digest.ts";
import type { StorageFile } from "../../hypervisor/storage/file-facts.ts";
import { StorageProber } from "../../hypervisor/storage/storage-prober.ts";
import { preconditionError } from "../../platform/errors.ts";
import type { ProcedureHandlers } from "../../platform/procedures.ts";
import { setBounded } from "../bounded-map.ts";
import { ConcurrencyLimit } from "../concurrency-limit.ts";
import { largeBytes, type storageProcedures } from "./procedures.ts";

const mostRemembered = 200;

/** What files of this host hold, for as long as nothing of them changes. */
export class DigestMemory {
  readonly #known = new Map<string, FileDigest>();

  /** Reads those that are not known yet. @throws what `StorageProber.digest` throws. */
  async of(prober: StorageProber, files: readonly StorageFile[]): Promise<FileDigest[]> {
    const unknown = files.filter((file) => !this.#known.has(keyOf(file)));
    const read = unknown.length === 0 ? [] : await prober.digest(unknown.map(({ path }) => path));
    const fresh = new Map(unknown.map((file, index) => [keyOf(file), read[index]]));
    for (const [key, digest] of fresh) {
      if (digest?.sha256) setBounded(this.#known, key, digest, mostRemembered);
    }
    return files.map(
      (file) =>
        this.#known.get(keyOf(file)) ??
        fresh.get(keyOf(file)) ?? { sha256: null, reason: "it was not read" },
    );
  }
}

function keyOf({ real, path, stamp }: StorageFile): string {
  return `${stamp} ${real ?? path}`;
}

/** Each check has a process of its own. */
const mostAtOnce = 4;
/** How many questions may be under way or wait: a host has no more guests that come at one moment. */
const mostWaiting = 64;

/** What this host does for the check of a guest that may come; `calm` resolves when no guest stands. */
export function storageHandlers(
  digests: DigestMemory,
  calm: () => Promise<void> = async () => {},
): ProcedureHandlers<typeof storageProcedures> {
  const limit = new ConcurrencyLimit(mostAtOnce);
  let open = 0;
  const inTurn = async <Result>(work: (prober: StorageProber) => Promise<Result>) => {
    if (open >= mostWaiting) throw tooMany();
    open += 1;
    try {
      using _turn = await limit.turn(undefined, tooMany);
      await calm();
      using prober = new StorageProber();
      return await work(prober);
    } finally {
      open -= 1;
    }
  };
  return {
    "look-at-storage": async ({ files }) => {
      if (files.length === 0) return { files: [] };
      return inTurn(async (prober) => {
        const found = await prober.look(files);
        const small = found.filter(
          ({ found: what, size_bytes }, index) =>
            files[index]?.digest && what === "file" && size_bytes <= largeBytes,
        );
        const read = await digests.of(prober, small);
        const digestOf = (file: StorageFile) => read[small.indexOf(file)] ?? null;
        return { files: found.map((file) => ({ ...file, digest: digestOf(file) })) };
      });
    },
    "digest-files": async ({ paths }) => {
      if (paths.length === 0) return { digests: [] };
      return inTurn(async (prober) => {
        const found = await prober.look(paths.map((path) => ({ path })));
        return { digests: await digests.of(prober, found) };
      });
    },
  };
}

function tooMany(): Error {
  return preconditionError("SOJ_STORAGE_BUSY", `${mostWaiting} checks of storage wait already`, {
    ...{ httpStatus: 503, retryable: true },
    hint: "try again in a moment",
  });
}
