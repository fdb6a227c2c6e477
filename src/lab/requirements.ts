import { findTool } from "../platform/command.ts";
import { preconditionError } from "../platform/errors.ts";

/** @throws SojournError `SOJ_NOT_ROOT`, `SOJ_TOOL_MISSING`. */
export function refuseUnlessRoot(): void {
  if (process.geteuid?.() !== 0) {
    throw preconditionError("SOJ_NOT_ROOT", "the lab needs root: it makes network namespaces", {
      hint: "run it with sudo",
    });
  }
  for (const tool of ["ip", "nsenter", "unshare", "mount", "umount", "env"]) findTool(tool);
}

/** @throws SojournError `SOJ_TOOL_MISSING` where libvirt is not installed. */
export function refuseWithoutLibvirt(): void {
  for (const tool of ["libvirtd", "virsh"]) findTool(tool);
}

/**
 * A lab is built and removed from the machine itself, never from one of its nodes.
 * @throws SojournError `SOJ_LAB_INSIDE`, and as `refuseUnlessRoot`.
 */
export function refuseUnlessOutside(): void {
  refuseUnlessRoot();
  const node = process.env.SOJOURN_LAB_NODE;
  if (node === undefined) return;
  throw preconditionError(
    "SOJ_LAB_INSIDE",
    `this is ${node}, a node of a lab; nothing was changed`,
    {
      hint: "leave it (exit) and run the command on the machine itself",
    },
  );
}
