import { namespaceName } from "../../../src/lab/layout.ts";
import { runCommand } from "../../../src/platform/command.ts";
import { createNamespace, type Namespace } from "../../support/namespaces.ts";

/** A machine in a guest subnet of a lab, plugged into the bridge of a node. It goes with its namespace. */
export async function createNeighbour(
  lab: string,
  node: string,
  address: string,
  gateway: string,
  bridge = "guests0",
): Promise<Namespace> {
  const namespace = await createNamespace("neighbour");
  try {
    const port = `n${address.split(".").at(-1)}`;
    const inHost = (line: string) =>
      runCommand("ip", ["-n", namespaceName(lab, node), ...line.split(" ")]);
    await inHost(`link add name ${port} type veth peer name eth0 netns ${namespace.name}`);
    await inHost(`link set dev ${port} master ${bridge} up`);
    await namespace.ip(`address add ${address}/24 dev eth0`);
    await namespace.ip("link set dev eth0 up");
    await namespace.ip(`route add default via ${gateway}`);
    return namespace;
  } catch (error) {
    await namespace[Symbol.asyncDispose]();
    throw error;
  }
}
