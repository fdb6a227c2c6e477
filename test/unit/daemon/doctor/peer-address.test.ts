import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { doctorHandlers } from "../../../../src/daemon/doctor/pair/handlers.ts";
import { openPortProbe } from "../../../../src/daemon/doctor/pair/port-probe.ts";
import { addressesOf } from "../../../../src/daemon/peer-identity.ts";
import { PeerHost } from "../peer-host.ts";

const nonce = "0".repeat(32);

describe("addresses of a certificate", () => {
  it.each([
    ["URI:sojourn://host/host-a, IP Address:172.16.1.2", ["172.16.1.2"]],
    ["IP Address:172.16.1.2, DNS:host-a, IP Address:10.9.0.2", ["172.16.1.2", "10.9.0.2"]],
    ["IP Address:2001:DB8:0:0:0:0:0:1", []],
    ['DNS:"x, IP Address:10.0.0.1", IP Address:10.0.0.2', []],
    ["URI:sojourn://host/host-a", []],
    [undefined, []],
  ])("of %s are %j", (subjectAltName, addresses) => {
    expect(addressesOf(subjectAltName)).toEqual(addresses);
  });
});

describe("a peer that has a tunnel probed", () => {
  let host: PeerHost;
  beforeEach(async () => {
    host = await PeerHost.start();
  });
  afterEach(() => host[Symbol.asyncDispose]());

  const open = (underlay_address: string) =>
    host.post("doctor-path-open", JSON.stringify({ kind: "ipip", underlay_address, nonce }));

  it("is refused when the address is not its own, and nothing is made", async () => {
    const { status, body } = await open("192.0.2.99");
    expect(status).toBe(403);
    expect(body).toMatchObject({ code: "SOJ_DOCTOR_ADDRESS", exit_code: 3 });
    expect(host.allocated).toEqual([]);
  });

  it("is heard with the address of its certificate", async () => {
    expect((await open("127.0.0.1")).body).toMatchObject({ code: "SOJ_DOCTOR_BUSY" });
  });
});

describe("a peer that has a port reached", () => {
  const connect = (claimed: string | null, port: number, caller = { addresses: [] as string[] }) =>
    doctorHandlers({
      config: {
        host: { name: "host-b", underlayAddress: "127.0.0.1" },
        peers: new Map([["host-a", { address: "127.0.0.2", port: 7707 }]]),
      } as never,
      ends: {} as never,
      peer: () =>
        ({
          call: async () => {
            if (claimed === null) throw new Error("no answer");
            return { underlay_address: claimed };
          },
        }) as never,
      isGuestStanding: () => false,
    })["doctor-connect"]({ port, nonce }, { peer: "host-a", ...caller });

  it("does not have this host connect to another address", async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.3", resolve));
    const { port } = server.address() as { port: number };
    await expect(connect("127.0.0.3", port)).rejects.toMatchObject({
      ...{ code: "SOJ_DOCTOR_ADDRESS", exitCode: 3, httpStatus: 403 },
      message: expect.stringContaining("host-a names 127.0.0.3"),
    });
    expect(connections).toBe(0);
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([
    ["configured", "127.0.0.2", "127.0.0.2", []],
    ["in its certificate", "127.0.0.3", "127.0.0.3", ["127.0.0.3"]],
    ["configured, when it does not answer", "127.0.0.2", null, []],
  ])("has it connect to the address that is %s", async (_why, address, claimed, addresses) => {
    await using probe = await openPortProbe(address, 40_100, nonce);
    const answer = await connect(claimed, probe.port, { addresses });
    expect(answer).toEqual({ reached: true, reason: null });
  });
});
