import { z } from "zod";
import { absolutePath } from "../../hypervisor/definition.ts";
import { definePeerProcedures } from "../../platform/procedures.ts";

const nonce = z.string().regex(/^[0-9a-f]{32}$/);
const text = z.string().max(1_000);

const digest = z.object({
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  reason: text.nullable(),
});

const question = z.strictObject({
  path: absolutePath,
  marker: z.strictObject({ nonce, answer: nonce }).nullable(),
  /** Whether what it holds is asked for, if it is small. */
  digest: z.boolean(),
});

const sight = z.object({
  seen: z.boolean(),
  lock: z.enum(["held", "free", "broken", "untried"]),
  answer: z.enum(["written", "read-only", "denied", "failed"]),
});

const storageFile = z.object({
  path: absolutePath,
  found: z.enum(["file", "block", "other", "missing", "unreadable"]),
  reason: text.nullable(),
  real: z.string().max(4_096).nullable(),
  size_bytes: z.number().nonnegative(),
  inode: z.string().max(20),
  filesystem: z.string().max(40),
  writable: z.boolean(),
  stamp: z.string().max(200),
  device: z
    .object({
      id: text.nullable(),
      why: text.nullable(),
      size_bytes: z.number().nonnegative(),
    })
    .nullable(),
  marker: sight.nullable(),
  digest: digest.nullable(),
});

/** How many files one guest may use. */
export const mostFiles = 256;

/** What the guest only reads, and is larger, is rather found to be the same file than read through. */
export const largeBytes = 64 * 1024 * 1024;

/** What a guest's source asks of its destination about storage. */
export const storageProcedures = definePeerProcedures({
  /**
   * What is at these paths here, and whether the asking host's markers are beside it, in which the answer is written.
   */
  "look-at-storage": {
    request: z.strictObject({ files: z.array(question).max(mostFiles) }),
    response: z.object({ files: z.array(storageFile).max(mostFiles) }),
    timeoutMs: 12_000,
  },
  /** What files hold, for those that a guest only reads. */
  "digest-files": {
    request: z.strictObject({ paths: z.array(absolutePath).max(mostFiles) }),
    response: z.object({ digests: z.array(digest).max(mostFiles) }),
    timeoutMs: 12_000,
  },
});
