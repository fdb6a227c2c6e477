import { int32, option, uint32 } from "@stellar/js-xdr";
import { qemuProcedure } from "../procedure.ts";
import { domain } from "../xdr/domain.ts";
import { text } from "../xdr/text.ts";

/**
 * Hands a command to QEMU's monitor and gives its whole answer, as JSON. libvirt marks the domain as tainted
 * (`custom-monitor`) and does not notice what the command changes. @see MonitorCommandFlag
 */
export const domainMonitorCommand = qemuProcedure(
  1,
  "qemu_domain_monitor_command",
  { domain, command: text(), flags: uint32() },
  { result: text() },
);

/** libvirt passes QEMU's own events on; null for every domain, and for every event. @see MonitorEventFlag */
export const connectDomainMonitorEventRegister = qemuProcedure(
  4,
  "qemu_connect_domain_monitor_event_register",
  { domain: option(domain), event: option(text()), flags: uint32() },
  { callbackId: int32() },
);

export const connectDomainMonitorEventDeregister = qemuProcedure(
  5,
  "qemu_connect_domain_monitor_event_deregister",
  { callbackId: int32() },
  {},
);
