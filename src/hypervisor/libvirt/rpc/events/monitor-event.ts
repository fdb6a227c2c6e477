import { type Infer, int32, int64, option, struct, uint32 } from "@stellar/js-xdr";
import { Program } from "../programs.ts";
import { domain } from "../xdr/domain.ts";
import { text } from "../xdr/text.ts";

/** An event of QEMU's monitor as QEMU sent it: name, its time since 1970, and its data as JSON. */
export const monitorEvent = {
  name: "monitor",
  program: Program.qemu,
  procedure: 6,
  message: struct("monitor", {
    callbackId: int32(),
    domain,
    event: text(),
    seconds: int64(),
    microseconds: uint32(),
    details: option(text()),
  }),
} as const;

export type MonitorMessage = Infer<typeof monitorEvent.message>;
