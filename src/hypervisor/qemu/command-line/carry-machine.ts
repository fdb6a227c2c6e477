import type { CommandLineOption } from "./command-line.ts";
import { OptionList } from "./option-list.ts";
import type { Rewriting } from "./rewriting.ts";

/** `-machine`: the type with its version, since its short name means another machine to another QEMU. */
export function machineType(value: string, rewriting: Rewriting): string[] {
  const { machine, accelerator } = rewriting.surroundings;
  let list = OptionList.parse(value, "type");
  if (list.has("memory-encryption") || list.has("confidential-guest-support")) {
    rewriting.refuse("its memory is encrypted with a key of this host");
  }
  if (list.has("type")) list = list.with("type", machine);
  if (list.has("accel")) list = list.with("accel", accelerator);
  return ["-machine", list.toString()];
}

/** `-accel`: of several, of which QEMU takes the first that works, the one that did. */
export function acceleratorChoice(value: string, rewriting: Rewriting): string[] {
  const { accelerator } = rewriting.surroundings;
  return OptionList.parse(value, "accel").get("accel") === accelerator ? ["-accel", value] : [];
}

/** Whether the command line says what accelerates the guest. */
export function isAcceleratorNamed(options: readonly CommandLineOption[]): boolean {
  return options.some(({ name, value }) => {
    if (name === "accel" || name === "enable-kvm") return true;
    const isMachine = name === "machine" || name === "M";
    return isMachine && OptionList.parse(value ?? "", "type").has("accel");
  });
}
