import { authenticate } from "./authenticate.ts";
import type { RpcChannel } from "./channel.ts";
import { Feature } from "./constants/features.ts";
import { libvirtTooOldError } from "./errors.ts";
import {
  connectGetLibVersion,
  connectGetType,
  connectOpen,
  connectRegisterCloseCallback,
  connectSupportsFeature,
} from "./procedures/connect.ts";

/** What a new connection has been told of its other end. */
export interface LibvirtFacts {
  /** libvirt's own version, `MAJOR.MINOR.RELEASE`. */
  version: string;
  /** The driver: `QEMU`. */
  driver: string;
  /** False when libvirt neither answers nor sends keepalive packets. */
  hasKeepalive: boolean;
}

/** How libvirt writes a version as a number (`virConnectGetLibVersion`). */
export function versionText(version: bigint): string {
  return `${version / 1_000_000n}.${(version / 1000n) % 1000n}.${version % 1000n}`;
}

/**
 * Authenticates, agrees on keepalive, attaches the connection to the driver, and makes sure of what is needed.
 * @throws SojournError `SOJ_LIBVIRT_ACCESS`, `SOJ_LIBVIRT_TOO_OLD`; as `RpcChannel.call`
 */
export async function shakeHands(channel: RpcChannel, uri: string): Promise<LibvirtFacts> {
  await authenticate(channel);
  const hasKeepalive = await supports(channel, Feature.keepalive);
  if (hasKeepalive) channel.startKeepalive();
  await channel.call(connectOpen, { name: uri, flags: 0 });
  const [version, type, hasCallbacks, hasParameters, hasCloseCallback] = await Promise.all([
    channel.call(connectGetLibVersion, {}),
    channel.call(connectGetType, {}),
    supports(channel, Feature.eventCallback),
    supports(channel, Feature.migrationParameters),
    supports(channel, Feature.closeCallback),
  ]);
  if (!hasCallbacks) throw libvirtTooOldError("events that carry their registration's number");
  if (!hasParameters) throw libvirtTooOldError("migration with typed parameters");
  if (hasCloseCallback) await channel.call(connectRegisterCloseCallback, {});
  return { version: versionText(version.version), driver: type.type, hasKeepalive };
}

async function supports(channel: RpcChannel, feature: number): Promise<boolean> {
  const { supported } = await channel.call(connectSupportsFeature, { feature });
  return supported !== 0;
}
