import { expect, test } from "vitest";
import { Journal } from "../../../src/migrator/journal.ts";
import { Notices } from "../../../src/migrator/notices.ts";
import type { SourceContext } from "../../../src/migrator/source-context.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { settled } from "../platform/fake-clock.ts";
import { temporaryFolder } from "./support.ts";

test("a destination to which an operator has left a guest may run what has arrived there: the source never will", async () => {
  using folder = temporaryFolder();
  using journal = new Journal(`${folder.path}/journal`);
  const decision = { migration: "m1", guest: "web1", epoch: 3, role: "source" } as const;
  journal.append({ ...decision, step: "resolved-destination", peer: "host-b" });
  const calls: [string, unknown][] = [];
  const peer = () => ({
    call: async (name: string, request: unknown) => {
      calls.push([name, request]);
      return { state: "taken-over" };
    },
  });
  const context = { journal, logger: createLogger("silent"), peer } as unknown as SourceContext;
  using notices = new Notices(context);
  notices.tell();
  await settled();
  const identity = { id: "m1", guest: "web1", epoch: 3 };
  expect(calls).toEqual([
    ["settle", { ...identity, grace_ms: 0, promised: true }],
    ["finish", identity],
  ]);
  expect(journal.untold()).toEqual([]);
});
