import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { planLines } from "../../../src/routing/actions.ts";
import { ourProtocol, type Route, temporaryProtocol } from "../../../src/routing/desired.ts";
import { diff } from "../../../src/routing/diff.ts";
import { normalise } from "../../../src/routing/normalise.ts";
import { desiredState } from "../../support/routing-plane.ts";
import { anyDesired, anyForeign } from "./arbitraries.ts";
import { ModelKernel } from "./model-kernel.ts";

describe("diff", () => {
  test("leads a kernel from any state of ours to any other, and then has nothing to do", () => {
    fc.assert(
      fc.property(anyDesired, anyDesired, (first, second) => {
        const kernel = new ModelKernel();
        for (const state of [first, second]) {
          const desired = normalise(state);
          kernel.execute(diff(kernel.read(desired), desired, kernel.memory));
          expect(diff(kernel.read(desired), desired, kernel.memory)).toEqual([]);
          expect(kernel.ours()).toEqual(ModelKernel.wanted(desired));
        }
      }),
      { numRuns: 300 },
    );
  });

  test("the empty state leaves a kernel as it was, switches included", () => {
    fc.assert(
      fc.property(anyDesired, anyForeign, (state, foreign) => {
        const kernel = new ModelKernel(foreign);
        const before = kernel.everything();
        const desired = normalise(state);
        kernel.execute(diff(kernel.read(desired), desired, kernel.memory));
        const empty = normalise(desiredState({}));
        kernel.execute(diff(kernel.read(empty), empty, kernel.memory));
        expect(kernel.everything()).toEqual(before);
        expect(kernel.memory.size).toBe(0);
      }),
    );
  });

  test("never touches what is not ours", () => {
    fc.assert(
      fc.property(anyDesired, anyForeign, (state, foreign) => {
        const kernel = new ModelKernel(foreign);
        const desired = normalise(state);
        kernel.execute(diff(kernel.read(desired), desired, kernel.memory));
        expect(kernel.foreign()).toEqual(new ModelKernel(foreign).foreign());
      }),
    );
  });

  test("adds before it deletes", () => {
    fc.assert(
      fc.property(anyDesired, anyDesired, (first, second) => {
        const kernel = new ModelKernel();
        const start = normalise(first);
        kernel.execute(diff(kernel.read(start), start, kernel.memory));
        const desired = normalise(second);
        const effects = diff(kernel.read(desired), desired, kernel.memory).map((a) => a.effect);
        expect(effects).toEqual(effects.toSorted());
      }),
    );
  });
});

const route: Route = {
  ...{ table: 254, prefix: "10.1.0.10/32", type: "unicast" },
  ...{ device: "tun0", via: null, mtu: null },
};

test.each([ourProtocol + 20, temporaryProtocol, 0])(
  "a route of protocol %i in the way is refused",
  (protocol) => {
    const kernel = new ModelKernel().read(desiredState({}));
    kernel.routes.push({ ...route, device: "eth0", protocol, metric: 0, unusual: false });
    expect(() => diff(kernel, desiredState({ routes: [route] }))).toThrowError(
      expect.objectContaining({ code: "SOJ_ROUTING_FOREIGN" }),
    );
    kernel.routes = [{ ...route, device: "eth0", protocol, metric: 100, unusual: false }];
    expect(diff(kernel, desiredState({ routes: [route] }))).toHaveLength(1);
  },
);

test("a plan has a line and its undo for each action", () => {
  const kernel = new ModelKernel().read(desiredState({}));
  const rule = {
    priority: 18320,
    table: 18311,
    iif: "sjb000000001",
    from: "10.1.0.10/32",
    to: null,
  };
  expect(planLines(diff(kernel, desiredState({ routes: [route], rules: [rule] })))).toEqual([
    {
      command: "ip route add 10.1.0.10/32 dev tun0 table 254 proto 183",
      undo: "ip route del 10.1.0.10/32 dev tun0 table 254 proto 183",
    },
    {
      command:
        "ip rule add pref 18320 iif sjb000000001 from 10.1.0.10/32 lookup 18311 protocol 183",
      undo: "ip rule del pref 18320 iif sjb000000001 from 10.1.0.10/32 lookup 18311 protocol 183",
    },
  ]);
});

test("a switch that somebody else changed after us is left alone", () => {
  const path = "net/ipv4/conf/tun0/rp_filter";
  const kernel = { ...new ModelKernel().read(desiredState({})), sysctls: new Map([[path, "1"]]) };
  const memory = new Map([[path, { original: "0", ours: "2" }]]);
  expect(diff(kernel, desiredState({}), memory).map(({ run }) => run)).toEqual([null]);
  kernel.sysctls.set(path, "2");
  expect(diff(kernel, desiredState({}), memory).map(({ run }) => run)).toEqual([
    { kind: "sysctl", path, value: "0" },
  ]);
});
