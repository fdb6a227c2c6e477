import { afterAll, beforeAll, expect, test } from "vitest";
import { connect, createNamespace, type Namespace } from "../support/namespaces.ts";
import { openPlaneIn, type RemotePlane } from "../support/routing-plane.ts";

let stack: AsyncDisposableStack;
let host: Namespace;
let neighbour: Namespace;
let plane: RemotePlane;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  host = stack.use(await createNamespace("host"));
  neighbour = stack.use(await createNamespace("neighbour"));
  await connect({ namespace: host, device: "port" }, { namespace: neighbour, device: "lan" });
  await host.ip("link add name guests0 type bridge forward_delay 0");
  await host.ip("link set dev port master guests0");
  await host.ip("address add 10.2.0.1/24 dev guests0");
  await host.ip("link set dev guests0 up");
  await host.ip("link add name other type bridge");
  await host.ip("link set dev other up");
  await host.ip("route add 10.2.0.9/32 dev other");
  await neighbour.ip("address add 10.2.0.7/24 dev lan");
  plane = stack.use(await openPlaneIn(host));
});
afterAll(() => stack.disposeAsync());

test("an address is free when nobody on the bridge answers for it, and nothing of the question stays", async () => {
  const neighbours = () => host.ip("neighbour show dev guests0 to 10.2.0.2");
  expect(await plane.addressUser("guests0", "10.2.0.2")).toBeNull();
  expect(await neighbours()).not.toMatch(/lladdr|INCOMPLETE/);
});

test("an address is somebody's when a neighbour, this host or another route has it", async () => {
  expect(await plane.addressUser("guests0", "10.2.0.7")).toMatch(/^somebody's: [0-9a-f:]{17} /);
  expect(await plane.addressUser("guests0", "10.2.0.1")).toBe("this host's own");
  expect(await plane.addressUser("guests0", "10.2.0.9")).toBe("routed to other here");
});

test("a neighbour that answered long ago is asked anew", async () => {
  await host.ip("neighbour replace 10.2.0.8 lladdr 02:00:00:00:00:08 dev guests0 nud stale");
  expect(await plane.addressUser("guests0", "10.2.0.8")).toBeNull();
});
