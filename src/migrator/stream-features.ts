import { z } from "zod";
import type { GuestInstance, StreamFeatures } from "../hypervisor/hypervisor.ts";
import { preconditionError } from "../platform/errors.ts";
import type { MigrationPolicy, MigrationTask } from "./source-context.ts";

/** Features of a stream as hosts name them to each other; not sent where none is wanted, as older releases know none. */
export const streamSchema = z.strictObject({
  post_copy: z.boolean(),
  multifd_channels: z.int().min(0).max(255),
  compression: z.enum(["none", "zstd", "zlib"]),
});

/** A stream as every QEMU has it. */
export const plainStream: StreamFeatures = {
  postCopy: false,
  multifdChannels: 0,
  compression: "none",
};

/**
 * What the source's hypervisor can do of what this migration wants.
 * @throws SojournError `SOJ_POST_COPY_UNAVAILABLE`
 */
export async function offeredFeatures(
  instance: Pick<GuestInstance, "streamFeatures">,
  task: Pick<MigrationTask, "guest" | "options">,
  policy: Pick<MigrationPolicy, "multifdChannels" | "compression">,
): Promise<StreamFeatures> {
  const { multifdChannels, compression } = policy;
  const wanted = { postCopy: task.options.postCopy, multifdChannels, compression };
  if (isPlain(wanted)) return plainStream;
  const offered = (await instance.streamFeatures?.(wanted)) ?? plainStream;
  refuseWithout(task, offered, "this host's hypervisor");
  return offered;
}

/**
 * What both have, given the answer of the destination to what was offered to it.
 * @throws SojournError `SOJ_POST_COPY_UNAVAILABLE`
 */
export function agreedFeatures(
  task: Pick<MigrationTask, "guest" | "to" | "options">,
  offered: StreamFeatures,
  answer: z.output<typeof streamSchema> | undefined,
): StreamFeatures {
  const theirs = answer === undefined ? plainStream : featuresOf(answer);
  const agreed: StreamFeatures = {
    postCopy: offered.postCopy && theirs.postCopy,
    multifdChannels: Math.min(offered.multifdChannels, theirs.multifdChannels),
    compression: theirs.compression === offered.compression ? offered.compression : "none",
  };
  refuseWithout(task, agreed, task.to);
  return agreed;
}

/** The part of a request or an answer that tells of them; nothing where there are none. */
export function streamOf(features: StreamFeatures | undefined): {
  stream?: z.output<typeof streamSchema>;
} {
  if (features === undefined || isPlain(features)) return {};
  const { postCopy: post_copy, multifdChannels: multifd_channels, compression } = features;
  return { stream: { post_copy, multifd_channels, compression } };
}

/** The other way round. */
export function featuresOf(stream: z.output<typeof streamSchema>): StreamFeatures {
  const { post_copy: postCopy, multifd_channels: multifdChannels, compression } = stream;
  return { postCopy, multifdChannels, compression };
}

/** Compression is of channels: without any there is none. */
function isPlain({ postCopy, multifdChannels }: StreamFeatures): boolean {
  return !postCopy && multifdChannels === 0;
}

function refuseWithout(
  { guest, options }: Pick<MigrationTask, "guest" | "options">,
  { postCopy }: StreamFeatures,
  who: string,
): void {
  if (!options.postCopy || postCopy) return;
  throw preconditionError("SOJ_POST_COPY_UNAVAILABLE", `${who} cannot move ${guest} by post-copy`, {
    guestState: "untouched",
    hint: "move it without --post-copy (post_copy = false), perhaps with --policy finish",
  });
}
