import { describe, expect, test } from "vitest";
import {
  chooseAddress,
  neighboursWith,
  parseNicWish,
} from "../../../../src/daemon/adoption/tap-facts.ts";

const network = { subnet: "10.1.0.0/24", gateway: "10.1.0.1", bridge: "guests0" };
const config = {
  host: { name: "host-a", underlayAddress: "172.16.1.2" },
  guestNetworks: [network],
};
const mac = "52:54:00:00:00:01";
const choose = (seen: string[], wish: string[] = []) =>
  chooseAddress(config, network, mac, seen, parseNicWish(wish));

describe("the address of a guest that is to be adopted", () => {
  test("is the one of its guest network that was seen", () => {
    expect(choose(["10.1.0.20", "192.168.0.9", "10.1.0.1"])).toBe("10.1.0.20/24");
  });

  test("is the one that is said, whatever was seen", () => {
    expect(choose(["10.1.0.20"], ["10.1.0.21/24"])).toBe("10.1.0.21/24");
    expect(parseNicWish([`10.1.0.21/24@${mac.toUpperCase()}`])).toEqual({
      ...{ address: "10.1.0.21/24", mac },
    });
  });

  test.each([
    [[], "none was seen"],
    [["10.1.0.20", "10.1.0.21"], "2 were seen (10.1.0.20, 10.1.0.21)"],
  ])("is asked for where %j was seen", (seen, message) => {
    expect(() => choose(seen)).toThrow(message);
  });

  test.each([["10.9.0.1/24"], ["10.1.0.1/24"]])("is not %s, which is no guest's here", (wish) => {
    expect(() => choose(["10.1.0.20"], [wish])).toThrow("is no guest's address in 10.1.0.0/24");
  });

  test.each([["10.1.0.20"], ["10.1.0.20/24@x"], ["10.1.0.20/24@a@b"], ["::1/64"], [""]])(
    "%j is no such thing",
    (wish) => {
      expect(() => parseNicWish([wish])).toThrow(/is not ADDRESS\/LENGTH/);
    },
  );

  test("neighbours with the MAC address, of ip's JSON", () => {
    const json = `[{"dst":"10.1.0.20","lladdr":"52:54:00:00:00:01","state":["STALE"]},
      {"dst":"10.1.0.30","state":["FAILED"]},{"dst":"10.1.0.31","lladdr":"52:54:00:00:00:02"}]`;
    expect(neighboursWith(json, mac)).toEqual(["10.1.0.20"]);
    expect(neighboursWith("", mac)).toEqual([]);
  });
});
