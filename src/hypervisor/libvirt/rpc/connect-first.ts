import { hasCode } from "../../../platform/errors.ts";
import { type ChannelOptions, RpcChannel } from "./channel.ts";

/** Where the system's libvirt listens: the QEMU daemon of a modular libvirt, or the one daemon for everything. */
export const systemSockets: readonly string[] = [
  "/run/libvirt/virtqemud-sock",
  "/run/libvirt/libvirt-sock",
];

/**
 * A channel to the first of the sockets at which somebody answers.
 * @throws SojournError that of the last socket when nobody does; `SOJ_LIBVIRT_ACCESS` at once
 */
export async function connectFirst(
  paths: readonly string[],
  options: ChannelOptions,
): Promise<RpcChannel> {
  let failure: unknown = new RangeError("no socket was named");
  for (const path of paths) {
    try {
      return await RpcChannel.connect(path, options);
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      failure = error;
    }
  }
  throw failure;
}

function isUnreachable(error: unknown): boolean {
  return hasCode(error, "SOJ_LIBVIRT_UNREACHABLE");
}
