import fc from "fast-check";
import { expect, test } from "vitest";
import {
  endMac,
  filterHandle,
  isTunnelName,
  networkIdentifier,
  tunnelName,
} from "../../../src/tunnels/identity.ts";
import type { Link } from "../../../src/tunnels/inspect.ts";
import { markText, readMark } from "../../../src/tunnels/mark.ts";

const addresses = fc.tuple(fc.ipV4(), fc.ipV4()).filter(([one, other]) => one !== other);

test("both ends derive one VNI of 24 bits, never 0, and know each other's MAC", () => {
  fc.assert(
    fc.property(addresses, ([localAddress, remoteAddress]) => {
      const here = networkIdentifier({ kind: "vxlan", localAddress, remoteAddress });
      const there = networkIdentifier({
        kind: "vxlan",
        localAddress: remoteAddress,
        remoteAddress: localAddress,
      });
      expect(here).toBe(there);
      expect(here).toBeGreaterThan(0);
      expect(here).toBeLessThan(2 ** 24);
      const firstOctet = Number.parseInt(endMac(here, localAddress).slice(0, 2), 16);
      expect(firstOctet & 3, "locally administered, unicast").toBe(2);
    }),
  );
});

test("names carry the mark, fit an interface and differ by kind and direction", () => {
  fc.assert(
    fc.property(addresses, ([localAddress, remoteAddress]) => {
      const names = [
        tunnelName({ kind: "ipip", localAddress, remoteAddress }),
        tunnelName({ kind: "vxlan", localAddress, remoteAddress }),
        tunnelName({ kind: "ipip", localAddress: remoteAddress, remoteAddress: localAddress }),
      ];
      expect(new Set(names).size).toBe(3);
      for (const name of names) {
        expect(isTunnelName(name)).toBe(true);
        expect(name.length).toBeLessThanOrEqual(15);
        expect(Number(filterHandle(name))).toBeGreaterThan(0);
      }
    }),
  );
});

test("a mark is read back as written, and foreign aliases are none", () => {
  const spec = { kind: "ipip", localAddress: "172.16.1.2", remoteAddress: "172.16.2.2" } as const;
  const mark = { underlay: "bond0.12", underlayIndex: 7 };
  const aliased = (alias: string) => ({ alias }) as Link;
  expect(readMark(aliased(markText(spec, mark)))).toEqual(mark);
  fc.assert(fc.property(fc.string(), (alias) => readMark(aliased(alias)) === null));
});
