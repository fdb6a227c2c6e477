import { expect, test } from "vitest";
import { delegateMigration, delegationHandlers } from "../../../src/daemon/delegation.ts";
import { delegationProcedures } from "../../../src/migrator/procedures.ts";
import { recordOf } from "../migrator/support.ts";

const trace = {
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  tracestate: "a=b",
};
const request = { guest: "web1", to: "host-a" };

test("the caller's trace goes with a migration to the host that carries it out", async () => {
  const { peer, traces } = hostThatCarriesOut();
  const mirrors = { begin: () => {} } as never;
  await delegateMigration(peer, request, null, mirrors, trace);
  await delegateMigration(peer, request, null, mirrors, undefined);
  expect(traces).toEqual([
    ["m1", trace],
    ["m2", undefined],
  ]);
});

/** The serving side, behind the same check that requests from the wire pass. */
function hostThatCarriesOut() {
  const traces: unknown[] = [];
  const ids = ["m1", "m2"];
  const starter = { start: async () => ids.shift() };
  const migrations = { get: () => ({ state: "planned" }) };
  const records = { get: () => recordOf("web1", 10) };
  const handlers = delegationHandlers(
    ...[starter as never, {} as never, migrations as never, records as never],
    { continueTrace: (id, parent) => traces.push([id, parent]) },
  );
  const peer = {
    peer: "host-b",
    call: (_name: string, body: unknown) => {
      const sent = JSON.parse(JSON.stringify(body));
      const checked = delegationProcedures["delegate-migration"].request.parse(sent);
      return handlers["delegate-migration"](checked, { peer: "host-a", addresses: [] });
    },
  };
  return { peer: peer as never, traces };
}
