import { int32, option, uint32, uint64, varOpaque } from "@stellar/js-xdr";
import { longestCookieBytes } from "../limits.ts";
import { remoteProcedure } from "../procedure.ts";
import { domain } from "../xdr/domain.ts";
import { text } from "../xdr/text.ts";
import { typedParameters } from "../xdr/typed-parameter.ts";

/*
 * The five phases of a managed migration (libvirt's docs/internals, "Migration"): begin at the source, prepare at the
 * destination, perform at the source, finish at the destination, confirm at the source. Each hands a cookie to the
 * next one at the other host. All get the same parameters, with these changes: prepare has begin's XML as
 * `destinationXml`, what follows has prepare's `uri`, and `destinationName` must not be missing from prepare on.
 * A migration belongs to the connections that began and prepared it: when one ends, libvirt takes the migration back at
 * that end.
 */

const cookie = varOpaque(longestCookieBytes);
const cookieOut = { cookie };
/** 0, or the phase undoes what was done. */
const cancelled = int32();

/** At the source. The XML is what the destination's guest is made of. @see MigrateFlag @see migrationParameters */
export const domainMigrateBegin = remoteProcedure(
  302,
  "domain_migrate_begin3_params",
  { domain, parameters: typedParameters, flags: uint32() },
  { cookie, xml: text() },
);

/**
 * At the destination: starts a QEMU that awaits the stream, which may take seconds. `uri` is where, unless the
 * parameters said.
 */
export const domainMigratePrepare = remoteProcedure(
  303,
  "domain_migrate_prepare3_params",
  { parameters: typedParameters, cookie, flags: uint32() },
  { cookie, uri: option(text()) },
);

/**
 * At the source: sends the guest. The reply comes when the stream has arrived or failed, so it may take hours: call it
 * without a time limit. With no `destinationUri` libvirt does not connect to the other libvirt by itself.
 */
export const domainMigratePerform = remoteProcedure(
  305,
  "domain_migrate_perform3_params",
  {
    domain,
    destinationUri: option(text()),
    parameters: typedParameters,
    cookie,
    flags: uint32(),
  },
  cookieOut,
);

/**
 * At the destination: lets the guest run, or ends its QEMU when `cancelled`. Success of the latter is told as an
 * error, `LibvirtErrorCode.migrateFinishOk`, since there is no domain to be told of. The cookie is perform's: empty when
 * that was not reached, for libvirt refuses one that it made itself.
 */
export const domainMigrateFinish = remoteProcedure(
  306,
  "domain_migrate_finish3_params",
  { parameters: typedParameters, cookie, flags: uint32(), cancelled },
  { domain, cookie },
);

/** At the source: ends its QEMU, or lets its guest go on when `cancelled`. */
export const domainMigrateConfirm = remoteProcedure(
  307,
  "domain_migrate_confirm3_params",
  { domain, parameters: typedParameters, cookie, flags: uint32(), cancelled },
  {},
);

/** Milliseconds that a guest may stand at the end. During a migration only. */
export const domainMigrateSetMaxDowntime = remoteProcedure(
  166,
  "domain_migrate_set_max_downtime",
  { domain, downtimeMs: uint64(), flags: uint32() },
  {},
);

export const domainMigrateGetMaxDowntime = remoteProcedure(
  387,
  "domain_migrate_get_max_downtime",
  { domain, flags: uint32() },
  { downtimeMs: uint64() },
);

/** In MiB/s. @see MaxSpeedFlag */
export const domainMigrateSetMaxSpeed = remoteProcedure(
  207,
  "domain_migrate_set_max_speed",
  { domain, bandwidthMibps: uint64(), flags: uint32() },
  {},
);

export const domainMigrateGetMaxSpeed = remoteProcedure(
  242,
  "domain_migrate_get_max_speed",
  { domain, flags: uint32() },
  { bandwidthMibps: uint64() },
);

/** Switches a migration that was begun with `MigrateFlag.postCopy` to post-copy now. */
export const domainMigrateStartPostCopy = remoteProcedure(
  364,
  "domain_migrate_start_post_copy",
  { domain, flags: uint32() },
  {},
);
