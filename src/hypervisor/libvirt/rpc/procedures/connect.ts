import { array, enumType, int32, option, uint32, uint64 } from "@stellar/js-xdr";
import { longestDomainList } from "../limits.ts";
import { remoteProcedure } from "../procedure.ts";
import { characters } from "../xdr/characters.ts";
import { domain } from "../xdr/domain.ts";
import { text } from "../xdr/text.ts";

/** `remote_auth_type`. */
export const authType = enumType("auth type", { none: 0, sasl: 1, polkit: 2 });

const optionalText = option(text());
/** What a CPU comparison asks about; null is libvirt's default. */
const emulatorFields = {
  emulator: optionalText,
  arch: optionalText,
  machine: optionalText,
  virtType: optionalText,
};

/** How the connection must authenticate, before anything else but `supportsFeature`. */
export const authList = remoteProcedure(66, "auth_list", {}, { types: array(authType, 20) });

/** Asks polkit whether the process at this end of the socket may manage guests. */
export const authPolkit = remoteProcedure(70, "auth_polkit", {}, { complete: int32() });

/** Attaches the connection to a driver, by URI. Nothing below works before. */
export const connectOpen = remoteProcedure(
  1,
  "connect_open",
  { name: optionalText, flags: uint32() },
  {},
);

export const connectClose = remoteProcedure(2, "connect_close", {}, {});

/** `QEMU`, for the driver of QEMU and KVM. */
export const connectGetType = remoteProcedure(3, "connect_get_type", {}, { type: text() });

/** The hypervisor's version, as one number: major × 1 000 000 + minor × 1000 + release. libvirt may run QEMU for it. */
export const connectGetVersion = remoteProcedure(
  4,
  "connect_get_version",
  {},
  { version: uint64() },
);

/** libvirt's own version, encoded alike. */
export const connectGetLibVersion = remoteProcedure(
  157,
  "connect_get_lib_version",
  {},
  { version: uint64() },
);

/** The host's name as libvirt would put it into a migration's URI; may take seconds where names do not resolve. */
export const connectGetHostname = remoteProcedure(
  59,
  "connect_get_hostname",
  {},
  { hostname: text() },
);

export const connectGetUri = remoteProcedure(110, "connect_get_uri", {}, { uri: text() });

/** @see Feature */
export const connectSupportsFeature = remoteProcedure(
  60,
  "connect_supports_feature",
  { feature: int32() },
  { supported: int32() },
);

/** The host's capabilities, as XML. */
export const connectGetCapabilities = remoteProcedure(
  7,
  "connect_get_capabilities",
  {},
  { capabilities: text() },
);

/** What an emulator can give a guest on this host, as XML. */
export const connectGetDomainCapabilities = remoteProcedure(
  342,
  "connect_get_domain_capabilities",
  { ...emulatorFields, flags: uint32() },
  { capabilities: text() },
);

/** The host's processors and memory. */
export const nodeGetInfo = remoteProcedure(
  6,
  "node_get_info",
  {},
  {
    model: characters(32),
    memoryKib: uint64(),
    cpus: int32(),
    mhz: int32(),
    nodes: int32(),
    sockets: int32(),
    cores: int32(),
    threads: int32(),
  },
);

/** Whether the host's processor can be what the `<cpu>` of an XML wants. @see CpuComparison @see CompareCpuFlag */
export const connectCompareCpu = remoteProcedure(
  158,
  "connect_compare_cpu",
  { xml: text(), flags: uint32() },
  { result: int32() },
);

/** The same, asked of what QEMU can emulate here. */
export const connectCompareHypervisorCpu = remoteProcedure(
  393,
  "connect_compare_hypervisor_cpu",
  { ...emulatorFields, xmlCpu: text(), flags: uint32() },
  { result: int32() },
);

/** All domains, or those that the flags choose. @see ListDomainsFlag */
export const connectListAllDomains = remoteProcedure(
  273,
  "connect_list_all_domains",
  { needResults: int32(), flags: uint32() },
  { domains: array(domain, longestDomainList), count: uint32() },
);

/** libvirt tells from now on when it loses its own connection to the driver's daemon. */
export const connectRegisterCloseCallback = remoteProcedure(
  360,
  "connect_register_close_callback",
  {},
  {},
);

/** libvirt tells of events of one kind. @see DomainEventId */
export const connectDomainEventCallbackRegisterAny = remoteProcedure(
  316,
  "connect_domain_event_callback_register_any",
  { eventId: int32(), domain: option(domain) },
  { callbackId: int32() },
);

export const connectDomainEventCallbackDeregisterAny = remoteProcedure(
  317,
  "connect_domain_event_callback_deregister_any",
  { callbackId: int32() },
  {},
);
