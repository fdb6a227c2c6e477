import { expect, test } from "vitest";
import { HandoverReceiver } from "../../../src/migrator/handover/receiver.ts";
import { definitionOf, hostA } from "./support.ts";

const request = {
  ...{ id: "h1", guest: "web1", epoch: 1, gateway_mac: "52:54:00:00:01:01" },
  ...{ host: "host-b", underlay_address: "172.16.2.2", tunnel_kind: "ipip" as const },
};

function check(lastOctet: number, underlayAddress = hostA.underlayAddress): void {
  const receiver = new HandoverReceiver({
    host: { ...hostA, role: "anchor", underlayAddress },
    records: { all: () => [], get: () => undefined },
    journal: { refuseHeld: () => {} },
    store: { current: null },
  } as unknown as ConstructorParameters<typeof HandoverReceiver>[0]);
  receiver.check({ ...request, definition: definitionOf("web1", lastOctet) }, "anchor-y");
}

test("an anchor takes over the address of a guest, and not that of the LAN's gateway or its own", () => {
  expect(() => check(10)).not.toThrow();
  const refusal = expect.objectContaining({ code: "SOJ_GUEST_ADDRESS" });
  expect(() => check(1)).toThrow(refusal);
  expect(() => check(10, "10.1.0.10")).toThrow(refusal);
});
