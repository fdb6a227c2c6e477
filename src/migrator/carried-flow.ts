import type { GuestFlow } from "../routing/flows/flow-table.ts";
import type { CarriedFlow } from "./flow-procedures.ts";

/** More than this no kernel keeps a flow. */
const longestS = 4_294_967;

/** As one host tells another of it. */
export function toCarriedFlow(flow: GuestFlow): CarriedFlow {
  const { icmp, state, windowScale, verificationTags } = flow;
  return {
    p: flow.protocol,
    in: flow.direction === "in",
    peer: flow.peer,
    ports: [flow.peerPort, flow.guestPort],
    ...(icmp === null ? {} : { icmp: [icmp.type, icmp.code, icmp.id] }),
    ...(state === null ? {} : { state }),
    replied: flow.replied,
    assured: flow.assured,
    expires: Math.min(flow.timeoutS, longestS),
    ...(windowScale === null ? {} : { scale: [windowScale.original, windowScale.reply] }),
    ...(verificationTags === undefined
      ? {}
      : { tags: [verificationTags.original, verificationTags.reply] }),
  };
}

/** What another host has told. */
export function fromCarriedFlow(carried: CarriedFlow): GuestFlow {
  const [peerPort, guestPort] = carried.ports;
  const { icmp, scale, tags } = carried;
  return {
    protocol: carried.p,
    direction: carried.in ? "in" : "out",
    peer: carried.peer,
    peerPort,
    guestPort,
    icmp: icmp === undefined ? null : { type: icmp[0], code: icmp[1], id: icmp[2] },
    state: carried.state ?? null,
    replied: carried.replied,
    assured: carried.assured,
    timeoutS: carried.expires,
    windowScale: scale === undefined ? null : { original: scale[0], reply: scale[1] },
    ...(tags === undefined ? {} : { verificationTags: { original: tags[0], reply: tags[1] } }),
  };
}
