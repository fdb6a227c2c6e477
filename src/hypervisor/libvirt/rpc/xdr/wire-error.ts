import { int32, option, struct } from "@stellar/js-xdr";
import type { LibvirtErrorFacts } from "../errors.ts";
import { domain } from "./domain.ts";
import { shownText } from "./text.ts";
import { uuid } from "./uuid.ts";

const words = option(shownText());

/** What stands in a reply of a call that failed (`virNetMessageError`). */
const wireError = struct("error", {
  code: int32(),
  domain: int32(),
  message: words,
  level: int32(),
  dom: option(domain),
  str1: words,
  str2: words,
  str3: words,
  int1: int32(),
  int2: int32(),
  net: option(struct("network", { name: shownText(), uuid: uuid() })),
});

/** Longest part of libvirt's words that goes into an error of ours: they may end with a whole log of QEMU's. */
const longestShown = 4000;

/** @throws XdrError */
export function decodeWireError(payload: Uint8Array): LibvirtErrorFacts {
  const { code, domain: origin, level, message } = wireError.decode(payload);
  const description = (message ?? "without a reason").slice(0, longestShown);
  return { code, domain: origin, level, description };
}

/** As libvirt sends it; for stand-ins of libvirt. */
export function encodeWireError({ code, domain: origin, level, description }: LibvirtErrorFacts) {
  const nothing = { dom: null, str1: null, str2: null, str3: null, int1: 0, int2: -1, net: null };
  return wireError.encode({ code, domain: origin, level, message: description, ...nothing });
}
