import { afterEach, beforeEach, expect, test } from "vitest";
import type { Destinations } from "../../../src/migrator/destinations.ts";
import { Journal } from "../../../src/migrator/journal.ts";
import type { Migrations } from "../../../src/migrator/migrations.ts";
import type { Notices } from "../../../src/migrator/notices.ts";
import { Resolutions } from "../../../src/migrator/resolutions.ts";
import type { SourceContext } from "../../../src/migrator/source-context.ts";
import { preconditionError, SojournError } from "../../../src/platform/errors.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { aToB, hostA, recordOf, temporaryFolder } from "./support.ts";

const undecided = { run_state: "inmigrate", held: false, journal: [] };

let folder: { path: string } & Disposable;
let journal: Journal;
let resumed: string[];
/** Throws as a destination that does not give its final word. */
let settle: () => never;

beforeEach(() => {
  folder = temporaryFolder();
  journal = new Journal(`${folder.path}/journal`);
  resumed = [];
  const written = { migration: "m1", guest: "web1", epoch: 2, role: "source" } as const;
  for (const step of ["begin", "pausing", "promise", "in-doubt"] as const) {
    journal.append({ ...written, step });
  }
});
afterEach(() => {
  journal[Symbol.dispose]();
  folder[Symbol.dispose]();
});

function resolutionsAtSource(): Resolutions {
  const call = async (name: string) => (name === "settle" ? settle() : undecided);
  const instance = {
    guest: "web1",
    isAlive: () => true,
    runState: async () => "paused",
    migrationProgress: async () => ({ status: "postmigrate" }),
  };
  const record = {
    ...recordOf("web1", 10),
    outgoing: { tunnel: aToB, switched: true },
    migration: { id: "m1", epoch: 2, role: "source", peer: "host-b", resume: true },
  };
  const context = {
    ...{ host: hostA, journal, logger: createLogger("silent"), peer: () => ({ call }) },
    guests: { instance: () => instance },
    records: { all: () => [record], get: () => record, putVolatile: () => {} },
  };
  const migrations = {
    suspend: async () => {},
    askAgain: () => {},
    isRunning: () => false,
    resume: ({ id }: { id: string }) => resumed.push(id),
  };
  return new Resolutions({
    context: context as unknown as SourceContext,
    migrations: migrations as unknown as Migrations,
    destinations: {} as Destinations,
    notices: { tell: () => {} } as Notices,
  });
}

test.each(["source", "destination"] as const)(
  "a destination that answers, but not whether it runs the guest, may be taking it over: %s is refused",
  async (keep) => {
    settle = () => {
      throw new SojournError("SOJ_PEER_UNREACHABLE", "no answer to settle", {
        exitCode: 3,
        retryable: true,
      });
    };
    await expect(resolutionsAtSource().decide("m1", keep)).rejects.toMatchObject({
      code: "SOJ_RESOLVE_REFUSED",
      exitCode: 3,
    });
    expect(journal.resolutionOf("m1")).toBeNull();
    expect(resumed).toEqual([]);
  },
);

test("a destination whose damaged journal does not let it say leaves the decision to the operator", async () => {
  settle = () => {
    throw preconditionError("SOJ_JOURNAL_DAMAGED", "nothing is decided about web1");
  };
  await resolutionsAtSource().decide("m1", "source");
  expect(journal.resolutionOf("m1")).toBe("source");
  expect(resumed).toEqual(["m1"]);
});
