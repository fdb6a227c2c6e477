import { OptionList } from "./option-list.ts";
import { consolePlaceholder } from "./placeholders.ts";
import type { Rewriting } from "./rewriting.ts";

const ownConsole = "sojourn-console";

/**
 * `-chardev`: what listened at the other end of it stays behind. The guest keeps the device, with the console's file
 * behind a serial port and nothing behind all others.
 */
export function characterDevice(value: string, rewriting: Rewriting): string[] {
  const list = OptionList.parse(value, "backend");
  const id = list.get("id") ?? "";
  if (rewriting.monitorDevices.has(id) && id !== rewriting.consoleDevice) return [];
  if (id === rewriting.consoleDevice) return ["-chardev", consoleFile(id)];
  const backend = list.get("backend") ?? "";
  if (backend === "null" || backend === "ringbuf") return ["-chardev", value];
  rewriting.warn(`nothing is behind its channel ${id} (${backend}) after a move`);
  return ["-chardev", `null,id=${id}`];
}

/** `-serial`, `-parallel`, `-debugcon`: the first serial port's words go to the console's file. */
export function port(
  name: "serial" | "parallel" | "debugcon",
  value: string,
  rewriting: Rewriting,
): string[] {
  if (value === "none" || value === "null" || value.startsWith("chardev:")) {
    return [`-${name}`, value];
  }
  if (name === "serial" && !rewriting.hasConsole) {
    rewriting.hasConsole = true;
    return ["-chardev", consoleFile(ownConsole), "-serial", `chardev:${ownConsole}`];
  }
  rewriting.warn(`nothing is behind its ${name} port (${value.slice(0, 80)}) after a move`);
  return [`-${name}`, "null"];
}

function consoleFile(id: string): string {
  return `file,id=${id},path=${consolePlaceholder},append=on`;
}
