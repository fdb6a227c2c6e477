// Runs a guest on a tap of this (empty) network namespace and says what the kernel saw of it.
import { pino } from "pino";
import { guestDefinitionFromJson } from "../../src/hypervisor/definition.ts";
import { createQemuHypervisor } from "../../src/hypervisor/qemu/qemu-hypervisor.ts";
import { runCommand } from "../../src/platform/command.ts";

const [runDir = "", definition = ""] = process.argv.slice(2);
const tapName = "sjt000000001";

/** A tap has carrier while somebody holds its other end. */
async function carrier(): Promise<string | undefined> {
  const { stdout } = await runCommand("ip", ["-j", "link", "show", "dev", tapName]);
  const flags: string[] = JSON.parse(stdout)[0].flags;
  return flags.find((flag) => flag === "LOWER_UP" || flag === "NO-CARRIER");
}

await runCommand("ip", ["tuntap", "add", "dev", tapName, "mode", "tap"]);
await runCommand("ip", ["link", "set", tapName, "up"]);
const before = await carrier();
const hypervisor = createQemuHypervisor({ runDir, logger: pino({ level: "silent" }) });
const guest = await hypervisor.start(guestDefinitionFromJson(JSON.parse(definition)), [
  { tapName },
]);
try {
  const [state, during] = [await guest.runState(), await carrier()];
  await guest.quit();
  process.stdout.write(JSON.stringify({ before, during, state, after: await carrier() }));
} finally {
  await guest.quit(0);
  await guest[Symbol.asyncDispose]();
}
