import { expect, test } from "vitest";
import { traceOf } from "../../../src/cli/migrate/trace.ts";
import type { StartConduct } from "../../../src/daemon/services.ts";
import { fakeServices, status } from "../../support/fake-services.ts";
import { startLocalDaemon } from "../../support/local-daemon.ts";

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

test.each([
  [{}, {}],
  [{ TRACEPARENT: traceparent }, { traceParent: { traceparent } }],
  [
    { TRACEPARENT: traceparent, TRACESTATE: "a=b" },
    { traceParent: { traceparent, tracestate: "a=b" } },
  ],
  [{ TRACEPARENT: traceparent, TRACESTATE: "a\r\nb" }, { traceParent: { traceparent } }],
  [{ TRACEPARENT: `${traceparent}\r\nx: y` }, {}],
  [{ TRACESTATE: "a=b" }, {}],
])("the environment %j names %j", (env, expected) => {
  expect(traceOf(env)).toEqual(expected);
});

test("what the client is given reaches the daemon", async () => {
  let seen: StartConduct | undefined;
  const startMigration = async (_request: unknown, conduct?: StartConduct) => {
    seen = conduct;
    return status;
  };
  await using daemon = await startLocalDaemon(() => fakeServices({ startMigration }));
  const trace = traceOf({ TRACEPARENT: traceparent, TRACESTATE: "a=b" });
  await daemon.client.startMigration({ guest: "web1", to: "host-b" }, trace);
  expect(seen).toMatchObject(trace);
});
