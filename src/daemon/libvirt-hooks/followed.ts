import type { HostContext } from "../../migrator/host-context.ts";
import { preconditionError } from "../../platform/errors.ts";
import type { ProcedureHandlers } from "../../platform/procedures.ts";
import type { MigrationStarter } from "../migration-starter.ts";
import type { followProcedures } from "./procedures.ts";

/** The serving side, where the guest runs. */
export function followHandlers(
  { guests, records }: Pick<HostContext, "guests" | "records">,
  starter: Pick<MigrationStarter, "follow">,
): ProcedureHandlers<typeof followProcedures> {
  const hosts = (guest: string, uuid: string) => {
    const record = records.get(guest);
    const instance = guests.instance(guest);
    const isDomain = record?.definition.hypervisor === "libvirt" && record.definition.uuid === uuid;
    return isDomain && record.hosting !== null && instance?.isAlive() === true;
  };
  return {
    "hosts-guest": async ({ guest, uuid }) => ({ hosts: hosts(guest, uuid) }),
    "follow-guest": async ({ guest, uuid }, { peer }) => {
      if (!hosts(guest, uuid)) {
        throw preconditionError(
          "SOJ_GUEST_UNKNOWN",
          `no domain ${uuid} runs here as guest ${guest}`,
        );
      }
      return { id: await starter.follow(guest, peer) };
    },
  };
}
