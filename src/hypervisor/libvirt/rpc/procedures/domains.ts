import { int32, uint32, uint64 } from "@stellar/js-xdr";
import { remoteProcedure } from "../procedure.ts";
import { domain } from "../xdr/domain.ts";
import { text } from "../xdr/text.ts";
import { uuid } from "../xdr/uuid.ts";

const domainWithFlags = { domain, flags: uint32() };

export const domainLookupByName = remoteProcedure(
  23,
  "domain_lookup_by_name",
  { name: text() },
  { domain },
);

export const domainLookupByUuid = remoteProcedure(
  24,
  "domain_lookup_by_uuid",
  { uuid: uuid() },
  { domain },
);

/** The domain's definition: as it runs now, unless a flag says otherwise. @see XmlFlag */
export const domainGetXmlDesc = remoteProcedure(14, "domain_get_xml_desc", domainWithFlags, {
  xml: text(),
});

/** @see DomainState and what belongs to it for the reasons. */
export const domainGetState = remoteProcedure(212, "domain_get_state", domainWithFlags, {
  state: int32(),
  reason: int32(),
});

export const domainGetInfo = remoteProcedure(
  16,
  "domain_get_info",
  { domain },
  {
    state: uint32(),
    maxMemoryKib: uint64(),
    memoryKib: uint64(),
    virtualCpus: uint32(),
    cpuTimeNs: uint64(),
  },
);

/** Stops the guest's processors. */
export const domainSuspend = remoteProcedure(34, "domain_suspend", { domain }, {});

/** Lets them go on. */
export const domainResume = remoteProcedure(28, "domain_resume", { domain }, {});

/** Ends the guest's QEMU: first SIGTERM, then SIGKILL. */
export const domainDestroy = remoteProcedure(12, "domain_destroy", { domain }, {});

/** @see DestroyFlag */
export const domainDestroyFlags = remoteProcedure(234, "domain_destroy_flags", domainWithFlags, {});

/** Asks the guest to shut itself down; the reply does not wait for it. */
export const domainShutdown = remoteProcedure(33, "domain_shutdown", { domain }, {});

/** Starts a defined domain; the reply comes when its QEMU is there, which may take seconds. @see CreateFlag */
export const domainCreateWithFlags = remoteProcedure(
  196,
  "domain_create_with_flags",
  domainWithFlags,
  { domain },
);

/** Defines a domain, or redefines it, without starting it. @see DefineFlag */
export const domainDefineXmlFlags = remoteProcedure(
  350,
  "domain_define_xml_flags",
  { xml: text(), flags: uint32() },
  { domain },
);

/** Forgets the definition; a running domain goes on, transient from then on. @see UndefineFlag */
export const domainUndefineFlags = remoteProcedure(
  231,
  "domain_undefine_flags",
  domainWithFlags,
  {},
);
