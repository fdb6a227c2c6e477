import { expect, test } from "vitest";
import { CommandError } from "../../../src/platform/command.ts";
import { createTunnels } from "../../../src/tunnels/tunnels.ts";

test("why a kernel cannot make a tunnel is told without its name, and with it among several", async () => {
  const run = async () => {
    throw new CommandError("ip link add", 2, "Error: Unknown device type.\n", "exit code 2");
  };
  const tunnels = createTunnels({ run, ipipDatapath: "kernel" });
  const [support] = await tunnels.support();
  expect(support).toMatchObject({
    ...{ kind: "ipip", datapath: "kernel", supported: false, reason: "Unknown device type." },
  });
  await expect(tunnels.choose("auto")).rejects.toMatchObject({
    code: "SOJ_TUNNEL_UNSUPPORTED",
    message:
      "this kernel has no usable tunnel: ipip (kernel): Unknown device type.; vxlan (kernel): Unknown device type.",
  });
});
