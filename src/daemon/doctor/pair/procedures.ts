import { z } from "zod";
import { guestDefinitionSchema } from "../../../hypervisor/definition.ts";
import { definePeerProcedures } from "../../../platform/procedures.ts";
import { tunnelKinds } from "../../../tunnels/tunnel.ts";
import { places } from "./ports.ts";

const text = z.string().max(4_000);

/** One check as it travels between hosts. */
const checkSchema = z.object({
  id: z.string().max(100),
  subject: z.string().max(300).nullable(),
  host: z.string().max(100).nullable(),
  name: z.string().max(300),
  result: z.enum(["ok", "warn", "fail", "skipped"]),
  detail: text,
  why: text.nullable(),
  hint: text.nullable(),
  mend: text.nullable(),
  fixable: z.boolean(),
});

/** 16 bytes that only the two hosts know, so that no other packet or connection is taken for the probe. */
const nonce = z.string().regex(/^[0-9a-f]{32}$/);
const port = z.int().min(1).max(65_535);
/** Which port of the range that streams are taken from. */
const place = z.enum(places);
const end = z.strictObject({ kind: z.enum(tunnelKinds), underlay_address: z.ipv4(), nonce });

/** What `doctor` of one host asks of another. */
export const doctorProcedures = definePeerProcedures({
  /** The checks that the other host makes of itself. */
  "doctor-host": {
    request: z.strictObject({}),
    response: z.object({ release: z.string().max(100), checks: z.array(checkSchema).max(500) }),
    timeoutMs: 30_000,
  },
  /** The asked host calls the asking one's daemon. */
  "doctor-call-back": {
    request: z.strictObject({}),
    response: z.object({ reached: z.boolean(), reason: text.nullable() }),
    timeoutMs: 10_000,
  },
  /** Opens a port for one connection that knows the nonce, for a few seconds. */
  "doctor-listen": {
    request: z.strictObject({ place, nonce }),
    response: z.object({ port }),
    timeoutMs: 5_000,
  },
  /** Connects to a port of the asking host, and to no other host. */
  "doctor-connect": {
    request: z.strictObject({ port, nonce }),
    response: z.object({ reached: z.boolean(), reason: text.nullable() }),
    timeoutMs: 10_000,
  },
  /** Whether a guest would find here what it needs. */
  "doctor-guest": {
    request: z.strictObject({ definition: guestDefinitionSchema }),
    response: z.object({
      missing_files: z.array(z.string().max(4_096)).max(64),
      available_mib: z.number(),
      processors: z.int(),
      /** Null when QEMU does not tell. */
      has_machine: z.boolean().nullable(),
    }),
    timeoutMs: 15_000,
  },
  /** Makes this end of a tunnel ready for probes, unless a migration is under way; closed by itself soon. */
  "doctor-path-open": {
    request: end,
    response: z.object({ mtu: z.int().positive(), datapath: z.enum(["kernel", "bpf"]) }),
    timeoutMs: 20_000,
  },
  "doctor-path-send": {
    request: z.strictObject({ ...end.shape, bytes: z.int().min(100).max(65_535) }),
    response: z.object({}),
    timeoutMs: 10_000,
  },
  /** Probes that arrived whole at this end: all, and the full-size ones of them. */
  "doctor-path-count": {
    request: z.strictObject(end.shape),
    response: z.object({ all: z.int().nonnegative(), full: z.int().nonnegative() }),
    timeoutMs: 10_000,
  },
  "doctor-path-close": {
    request: z.strictObject(end.shape),
    response: z.object({}),
    timeoutMs: 20_000,
  },
});
