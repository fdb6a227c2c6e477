import { preconditionError, SojournError } from "../../../platform/errors.ts";
import type { Logger } from "../../../platform/log.ts";
import type { CommandLineOption } from "../command-line/command-line.ts";
import { OptionList } from "../command-line/option-list.ts";
import { QmpConnection } from "../qmp/connection.ts";

/** A monitor that is free greets at once; one that another program holds, only when that closes it. */
const greetingMs = 2_000;

/** The unix sockets of the QMP monitors that a command line asks for, as it names them. Pure. */
export function monitorSockets(options: readonly CommandLineOption[]): string[] {
  const devices = new Map<string, OptionList>();
  for (const { name, value } of options) {
    if (name !== "chardev" || value === null) continue;
    const list = OptionList.parse(value, "backend");
    // A monitor that calls somebody is theirs.
    if (list.isOn("server")) devices.set(list.get("id") ?? "", list);
  }
  return options.flatMap(({ name, value }) => {
    if (value === null) return [];
    if (name === "qmp" || name === "qmp-pretty") {
      if (value.startsWith("chardev:")) return devices.get(value.slice(8))?.get("path") ?? [];
      return value.startsWith("unix:")
        ? (OptionList.parse(value.slice(5), "path").get("path") ?? [])
        : [];
    }
    if (name !== "mon") return [];
    const list = OptionList.parse(value, "chardev");
    if (list.get("mode") !== "control") return [];
    return devices.get(list.get("chardev") ?? "")?.get("path") ?? [];
  });
}

/**
 * Opens the first of the monitors that is free.
 * @throws SojournError `SOJ_MONITOR_BUSY` when other programs hold them all; `SOJ_MONITOR_UNREACHABLE` when none speaks
 *   QMP, or there is none.
 */
export async function openFreeMonitor(
  paths: readonly string[],
  logger: Logger,
): Promise<QmpConnection> {
  const failures: SojournError[] = [];
  for (const path of paths) {
    try {
      return await QmpConnection.open(path, { logger, onEvent: () => {}, timeoutMs: greetingMs });
    } catch (error) {
      if (!(error instanceof SojournError)) throw error;
      failures.push(error);
    }
  }
  throw refusal(paths, failures);
}

function refusal(paths: readonly string[], failures: readonly SojournError[]): SojournError {
  if (failures.some(({ code }) => code === "SOJ_HYPERVISOR_TIMEOUT")) {
    return preconditionError(
      "SOJ_MONITOR_BUSY",
      `QEMU's monitor ${paths.join(", ")} takes connections and does not greet: another program holds it`,
      {
        guestState: "untouched",
        hint: "a monitor has one client: end the other (ss -xp | grep SOCKET), or give QEMU a second -qmp; guests of libvirt stay libvirt's",
      },
    );
  }
  const [cause] = failures;
  const what = cause?.message ?? "it has no QMP monitor on a unix socket";
  return preconditionError("SOJ_MONITOR_UNREACHABLE", `QEMU cannot be spoken to: ${what}`, {
    cause,
    guestState: "untouched",
    hint: "QEMU needs -qmp unix:PATH,server=on,wait=off, and no monitor can be added while it runs",
  });
}
