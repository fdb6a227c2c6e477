import { SojournError } from "../../platform/errors.ts";
import { type GuestDefinition, guestUuid } from "../definition.ts";
import { monitorLabel } from "./arguments.ts";
import type { QmpConnection } from "./qmp/connection.ts";
import { isObject } from "./qmp/messages.ts";

/**
 * Makes sure that a monitor is that of this guest and this very process, before any command to it.
 * @throws SojournError `SOJ_HYPERVISOR_WRONG_GUEST`
 */
export async function verifyGuest(
  connection: QmpConnection,
  definition: GuestDefinition,
  instanceId: string,
): Promise<void> {
  const [name, uuid, devices] = await Promise.all([
    connection.execute("query-name"),
    connection.execute("query-uuid"),
    connection.execute("query-chardev"),
  ]);
  const label = monitorLabel(instanceId);
  const labels = (Array.isArray(devices) ? devices : []).filter(isObject);
  const found = [isObject(name) && name.name, isObject(uuid) && uuid.UUID];
  const expected = [definition.name, guestUuid(definition)];
  const isRightProcess = labels.some((device) => device.label === label);
  if (isRightProcess && found.every((value, index) => value === expected[index])) return;
  throw new SojournError(
    "SOJ_HYPERVISOR_WRONG_GUEST",
    `the monitor ${connection.path} belongs to another guest or process: expected ${expected.join(" ")} ${label}, found ${JSON.stringify(found).slice(0, 300)}`,
    { hint: "nothing was sent to it; find out who replaced the socket" },
  );
}
