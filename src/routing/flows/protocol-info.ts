import {
  attribute,
  byteAttribute,
  nestedAttribute,
  networkNumberAttribute,
} from "../netlink/attributes.ts";
import type { GuestFlow } from "./flow-table.ts";
import { ipProtocol } from "./tracked-flow.ts";
import { cta, ctaInfo, ctaSctp, ctaTcp, statesOf, tcpFlag } from "./wire.ts";

/** Somebody has begun to close these: a SYN in them may begin a new connection (RFC 9293, 3.6.1). */
const closing = ["FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE"];

/** RFC 7323, 2.3. Newer kernels refuse more. */
const largestScale = 14;

/**
 * What the kernel keeps of a protocol's own (CTA_PROTOINFO), or nothing. Without a state that one stays as it is.
 *
 * The sequence numbers that have passed are not carried, so that the kernel's window check could only be wrong: it is
 * liberal for the flow, and says so in the flow only.
 */
export function protocolInfo(
  flow: Pick<GuestFlow, "protocol" | "state" | "windowScale" | "verificationTags">,
): Buffer[] {
  if (flow.protocol === ipProtocol.tcp) {
    return [nestedAttribute(cta.protocolInfo, [nestedAttribute(ctaInfo.tcp, tcpInfo(flow))])];
  }
  if (flow.protocol !== ipProtocol.sctp) return [];
  const { verificationTags: tags } = flow;
  const state = stateNumber(flow.protocol, flow.state);
  // The kernel takes all three or nothing.
  if (tags === undefined || state === null) return [];
  return [
    nestedAttribute(cta.protocolInfo, [
      nestedAttribute(ctaInfo.sctp, [
        byteAttribute(ctaSctp.state, state),
        networkNumberAttribute(ctaSctp.tagOriginal, tags.original),
        networkNumberAttribute(ctaSctp.tagReply, tags.reply),
      ]),
    ]),
  ];
}

function tcpInfo({ state, windowScale }: Pick<GuestFlow, "state" | "windowScale">): Buffer[] {
  const number = stateNumber(ipProtocol.tcp, state);
  const isClosing = state !== null && closing.includes(state);
  // An option that was not in the SYNs is never in a later segment: to permit it takes nothing away.
  const flags =
    tcpFlag.beLiberal |
    tcpFlag.sackPermitted |
    (windowScale === null ? 0 : tcpFlag.windowScale) |
    (isClosing ? tcpFlag.closeInit : 0);
  // `struct nf_ct_tcp_flags`: flags, and which of them count.
  const pair = Buffer.from([flags, flags]);
  return [
    ...(number === null ? [] : [byteAttribute(ctaTcp.state, number)]),
    ...(windowScale === null
      ? []
      : [
          byteAttribute(ctaTcp.scaleOriginal, Math.min(windowScale.original, largestScale)),
          byteAttribute(ctaTcp.scaleReply, Math.min(windowScale.reply, largestScale)),
        ]),
    attribute(ctaTcp.flagsOriginal, pair),
    attribute(ctaTcp.flagsReply, pair),
  ];
}

/** Null for what this kernel may not have. */
function stateNumber(protocol: number, state: string | null): number | null {
  const number = state === null ? -1 : (statesOf.get(protocol)?.indexOf(state) ?? -1);
  return number === -1 ? null : number;
}
