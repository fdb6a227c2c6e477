import type { DaemonServices } from "../daemon/services.ts";
import type { Connection } from "./connection.ts";

/** What libvirt's hook asks the daemon of its host. */
export type LibvirtClient = Pick<DaemonServices, "answerLibvirtHook">;

export function libvirtClient(connection: Connection): LibvirtClient {
  return {
    answerLibvirtHook: (body) =>
      connection.json({ method: "POST", path: "/v1/libvirt/hook", body }),
  };
}
