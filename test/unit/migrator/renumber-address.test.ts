import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { chooseAddress } from "../../../src/migrator/renumber-address.ts";
import { addressNumber, addressText, subnetOf, usable } from "../../../src/migrator/subnet.ts";

const bridge = "guests0";
const host = {
  name: "host-b",
  guestNetworks: [
    { subnet: "10.2.0.0/29", gateway: "10.2.0.1", bridge },
    { subnet: "10.9.0.0/30", gateway: "10.9.0.2", bridge: "guests1" },
  ],
};
const none = new Map<string, string>();
const takenBy = (...addresses: string[]) => new Map(addresses.map((one) => [one, "web9's"]));

describe("a wish for any address", () => {
  it("gets the lowest that is free, of the first network that has one", () => {
    expect(chooseAddress("auto", host, none)).toBe("10.2.0.2");
    expect(chooseAddress("auto", host, takenBy("10.2.0.2", "10.2.0.4"))).toBe("10.2.0.3");
    const first = ["10.2.0.2", "10.2.0.3", "10.2.0.4", "10.2.0.5", "10.2.0.6"];
    expect(chooseAddress("auto", host, takenBy(...first))).toBe("10.9.0.1");
    expect(() => chooseAddress("auto", host, takenBy(...first, "10.9.0.1"))).toThrow(
      expect.objectContaining({ code: "SOJ_RENUMBER_FULL", exitCode: 3 }),
    );
  });

  it("finds none where there is no guest network", () => {
    const empty = { name: "host-b", guestNetworks: [] };
    expect(() => chooseAddress("auto", empty, none)).toThrow(/no free address/);
  });
});

test.each([
  ["10.3.0.2", /none of host-b's guest networks/],
  ["10.2.0.0", /the network 10\.2\.0\.0\/29 itself/],
  ["10.2.0.7", /the broadcast address/],
  ["10.2.0.1", /the gateway/],
  ["10.2.0.5", /it is web9's/],
])("%s is refused: %s", (wish, reason) => {
  const refusal = expect.objectContaining({ code: "SOJ_RENUMBER_ADDRESS", exitCode: 3 });
  expect(() => chooseAddress(wish, host, takenBy("10.2.0.5"))).toThrow(refusal);
  expect(() => chooseAddress(wish, host, takenBy("10.2.0.5"))).toThrow(reason);
});

test("a free address that is wished for is given", () => {
  expect(chooseAddress("10.2.0.6", host, none)).toBe("10.2.0.6");
  expect(chooseAddress("10.9.0.1", host, none)).toBe("10.9.0.1");
});

test("whatever is taken: what is chosen is usable, free, no gateway, and would be granted by name too", () => {
  const length = fc.integer({ min: 24, max: 32 });
  const octets = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 });
  const places = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 300 });
  fc.assert(
    fc.property(length, octets, places, (bits, base, offsets) => {
      const { first } = subnetOf(`${base.join(".")}/${bits}`);
      const subnet = `${addressText(first)}/${bits}`;
      const range = usable(subnet);
      const network = { subnet, gateway: addressText(range.first), bridge };
      const taken = takenBy(...offsets.map((offset) => addressText(first + offset)));
      const here = { name: "host-b", guestNetworks: [network] };
      const free: string[] = [];
      for (let number = range.first; number <= range.last; number += 1) {
        const address = addressText(number);
        if (address !== network.gateway && !taken.has(address)) free.push(address);
      }
      const [lowest] = free;
      if (lowest === undefined) {
        expect(() => chooseAddress("auto", here, taken)).toThrow(/no free address/);
        return;
      }
      expect(chooseAddress("auto", here, taken)).toBe(lowest);
      for (const address of free.slice(0, 3)) {
        expect(chooseAddress(address, here, taken)).toBe(address);
      }
    }),
    { numRuns: 200 },
  );
});

test("numbers and texts of addresses are the same ones", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (number) => {
      expect(addressNumber(addressText(number))).toBe(number);
    }),
  );
});
