import type { RpcChannel } from "./channel.ts";
import { LibvirtCallError, libvirtAccessError } from "./errors.ts";
import { authList, authPolkit, authType } from "./procedures/connect.ts";

/**
 * Does what libvirt wants before it lets anybody in: nothing, or polkit's consent, which libvirt itself asks for. libvirt
 * wants nothing of root.
 * @throws SojournError `SOJ_LIBVIRT_ACCESS`; as `RpcChannel.call`
 */
export async function authenticate(channel: RpcChannel): Promise<void> {
  const { types } = await channel.call(authList, {});
  if (types.length === 0 || types.includes(authType.none)) return;
  if (types.includes(authType.polkit)) await askPolkit(channel);
  else throw libvirtAccessError(channel.path, "it wants a user name and password (SASL)");
}

async function askPolkit(channel: RpcChannel): Promise<void> {
  try {
    const { complete } = await channel.call(authPolkit, {});
    if (complete !== 0) return;
  } catch (error) {
    if (!(error instanceof LibvirtCallError)) throw error;
    throw libvirtAccessError(channel.path, `polkit says no: ${error.description}`, error);
  }
  throw libvirtAccessError(channel.path, "polkit says no");
}
