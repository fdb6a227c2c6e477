// Starts a guest as a daemon does, says which, and dies without a word to it.
import { pino } from "pino";
import { guestDefinitionFromJson } from "../../src/hypervisor/definition.ts";
import { createQemuHypervisor } from "../../src/hypervisor/qemu/qemu-hypervisor.ts";

const [runDir = "", definition = ""] = process.argv.slice(2);
const hypervisor = createQemuHypervisor({ runDir, logger: pino({ level: "silent" }) });
const guest = await hypervisor.start(guestDefinitionFromJson(JSON.parse(definition)), []);
process.stdout.write(JSON.stringify({ pid: guest.pid, instanceId: guest.instanceId }), () =>
  process.kill(process.pid, "SIGKILL"),
);
