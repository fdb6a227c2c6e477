import { SojournError } from "../../../platform/errors.ts";
import { guestUuid } from "../../definition.ts";
import type { InstanceRecord } from "../instance-record.ts";
import type { QmpConnection } from "../qmp/connection.ts";
import { isObject } from "../qmp/messages.ts";
import { listensOn } from "./process-facts.ts";

/**
 * Makes sure that a monitor is that of the adopted process, before any command to it: the process listens on it, and its
 * guest has the name and UUID of then.
 * @throws SojournError `SOJ_HYPERVISOR_WRONG_GUEST`
 */
export async function verifyAdopted(
  connection: QmpConnection,
  record: InstanceRecord,
  adopted: NonNullable<InstanceRecord["adopted"]>,
  pid: number,
): Promise<void> {
  const [name, uuid, isItsOwn] = await Promise.all([
    connection.execute("query-name"),
    connection.execute("query-uuid"),
    listensOn(pid, adopted.monitor).catch(() => false),
  ]);
  const found = [(isObject(name) && name.name) || null, isObject(uuid) && uuid.UUID];
  const expected = [adopted.name, guestUuid(record.definition)];
  if (isItsOwn && found.every((value, index) => value === expected[index])) return;
  throw new SojournError(
    "SOJ_HYPERVISOR_WRONG_GUEST",
    `the monitor ${connection.path} is not that of process ${pid} any more: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found).slice(0, 300)}`,
    { hint: "nothing was sent to it; find out who replaced the socket" },
  );
}
