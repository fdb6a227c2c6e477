import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { preconditionError } from "../platform/errors.ts";
import { makeFolder, replaceFileDurably } from "../platform/files.ts";
import { busyPage, isAboutBusyGuests } from "./busy-table.ts";
import { runsAsCsv } from "./csv.ts";
import { benchPage } from "./html/bench-page.ts";
import type { MachineFacts } from "./machine.ts";
import type { CellRecord } from "./records.ts";
import type { BenchState } from "./state.ts";
import { summarizeCells } from "./summary.ts";

/** Tells our results from other people's files. */
const format = "sojourn-bench";

/** The folder of `--out`: `results.json`, `runs.csv`, `report.html`, of busy guests `cells.md`, each always whole. */
export class OutputFolder {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** @throws SojournError `SOJ_BENCH_OUT` when the folder cannot be used or holds anything but our results. */
  static async open(path: string): Promise<OutputFolder> {
    try {
      await makeFolder(path, 0o755);
      const entries = readdirSync(path);
      if (entries.length === 0 || holdsResults(path)) return new OutputFolder(path);
    } catch (cause) {
      throw preconditionError("SOJ_BENCH_OUT", `${path}: ${(cause as Error).message}`, { cause });
    }
    throw preconditionError("SOJ_BENCH_OUT", `${path} is not empty, and holds no results of ours`, {
      hint: "name another folder",
    });
  }

  get path(): string {
    return this.#path;
  }

  /** Cells of a benchmark on this machine that did not come to its end; none where it did, or nothing is readable. */
  unfinished(machine: MachineFacts): CellRecord[] {
    const results = readResults(this.#path);
    if (results === null || results.progress === "complete") return [];
    // Written whole by us, for nobody else.
    return isDeepStrictEqual(results.machine, { ...machine })
      ? (results.measured as unknown as CellRecord[])
      : [];
  }

  write(state: BenchState): void {
    const { cells, ...facts } = state;
    const results = { format, version: 1, ...facts, ...summarizeCells(cells), measured: cells };
    this.#replace("results.json", `${JSON.stringify(results)}\n`);
    this.#replace("runs.csv", runsAsCsv(cells));
    this.#replace("report.html", benchPage(state));
    if (isAboutBusyGuests(cells)) this.#replace("cells.md", busyPage(cells, state.machine));
  }

  #replace(name: string, content: string): void {
    replaceFileDurably(join(this.#path, name), content, 0o644);
  }
}

const resultsSchema = z.object({
  format: z.literal(format),
  progress: z.string(),
  machine: z.looseObject({}),
  measured: z.array(
    z.looseObject({
      memory_mib: z.number(),
      dirty_mbytes_per_second: z.number().nullable(),
      strategies: z.array(z.string()),
      load: z.array(z.string()),
      // `move` came later than the format.
      runs: z.array(z.looseObject({ strategy: z.string(), move: z.looseObject({}).nullable() })),
    }),
  ),
});

function holdsResults(path: string): boolean {
  try {
    return JSON.parse(readFileSync(join(path, "results.json"), "utf8")).format === format;
  } catch {
    return false;
  }
}

function readResults(path: string): z.output<typeof resultsSchema> | null {
  try {
    return resultsSchema.parse(JSON.parse(readFileSync(join(path, "results.json"), "utf8")));
  } catch {
    return null;
  }
}
