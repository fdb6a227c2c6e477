import { guestAddress, guestName } from "../../../src/lab/guests.ts";
import { virsh } from "../../../src/lab/libvirt/virsh.ts";
import type { Method, MethodName } from "./methods.ts";
import { MonitorWatch } from "./monitor-watch.ts";

const withinMs = 120_000;

/**
 * Plain `virsh migrate --live` of the domain of this number, as libvirt's manual has it, and then what is to be done
 * when it has returned.
 */
export async function virshMethod(
  lab: string,
  name: MethodName,
  number: number,
  afterwards: (from: string, to: string) => Promise<void> = async () => {},
): Promise<Method> {
  const domain = guestName(number);
  const watch = await MonitorWatch.open(lab, ["host-a", "host-b"], domain);
  return {
    name,
    address: guestAddress(number),
    move: async (from, to, signal) => {
      watch.forget();
      const migrate = ["migrate", "--live", domain, to];
      await virsh(lab, from, migrate, { timeoutMs: withinMs, signal });
      await afterwards(from, to);
      return { blackoutMs: watch.blackoutMs(from, to), timeline: [] };
    },
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  };
}
