import {
  type CommandOptions,
  type CommandResult,
  findTool,
  runCommand,
} from "../../platform/command.ts";
import { labNodePrefix } from "../nodes.ts";

/** Runs virsh on a host against the host's own libvirtd. @throws CommandError with libvirt's words. */
export function virsh(
  lab: string,
  host: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const [program, ...prefix] = labNodePrefix(lab, host) as [string, ...string[]];
  // The first question makes libvirtd ask QEMU what it can do, which takes seconds.
  return runCommand(program, [...prefix, findTool("virsh"), "--quiet", ...args], {
    timeoutMs: 60_000,
    ...options,
  });
}
