import { z } from "zod";
import { SojournError } from "../platform/errors.ts";
import { probeKinds } from "./series.ts";

/** A prober that sends a longer line is broken. */
export const maxLineBytes = 256 * 1024;

const finite = z.number();
const microseconds = z.array(z.number().int()).max(8192);
const counts = z.array(z.number().int().nonnegative()).max(8192);

/** Both clocks and what is about to be measured; the first line of every prober. */
const hello = z.strictObject({
  type: z.literal("hello"),
  version: z.literal(1),
  kind: z.enum(probeKinds),
  pid: z.number().int().positive(),
  monotonic_ms: finite,
  wall_clock_ms: finite,
  clock_uncertainty_ms: finite.nonnegative(),
  interval_ms: finite.positive(),
});

/** The first answer is there: from now on the floor is measured. */
const ready = z.strictObject({ type: z.literal("ready"), at_ms: finite });

const sampled = { at_ms: finite, base_ms: finite, own_pause_us: z.number().int().nonnegative() };

/** Answers since the last batch, as microseconds from `base_ms`. */
const echoes = z.strictObject({
  type: z.literal("echoes"),
  ...sampled,
  sent_us: microseconds,
  received_us: microseconds,
  unanswered: z.number().int().nonnegative(),
});

/** Whole buckets since the last batch, the first starting at `base_ms`. */
const bytes = z.strictObject({
  type: z.literal("bytes"),
  ...sampled,
  bytes: counts,
  gap_us: counts,
  gap_end_us: counts,
});

const count = z.number().int().nonnegative();

/** Totals of the kernel for this session. */
const tcp = z.strictObject({
  type: z.literal("tcp"),
  at_ms: finite,
  retransmissions: count,
  rto: count.nullable(),
});

/** Totals of a packet probe. */
const packets = z.strictObject({
  type: z.literal("packets"),
  at_ms: finite,
  sent: count,
  lost: count,
  unread: count,
  duplicated: count,
  reordered: count,
});

/** Total of answers that are errors of HTTP. */
const statuses = z.strictObject({ type: z.literal("statuses"), at_ms: finite, errors: count });

/** What the guest has said of itself. */
const guest = z.strictObject({
  type: z.literal("guest"),
  at_ms: finite,
  ahead_ms: finite,
  error_ms: finite.nonnegative(),
  retransmissions: count.nullable(),
  rto: count.nullable(),
});

const broken = z.strictObject({
  type: z.literal("broken"),
  at_ms: finite,
  reason: z.enum(["mismatch", "closed", "failed"]),
  message: z.string().max(1000),
});

/** No session came about; the prober ends. */
const noSession = z.strictObject({
  type: z.literal("no-session"),
  reason: z.enum(["unreachable", "silent", "wrong-service", "unavailable"]),
  message: z.string().max(1000),
});

/** The last line after `stop`. */
const summary = z.strictObject({
  type: z.literal("summary"),
  at_ms: finite,
  answers: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
});

const message = z.discriminatedUnion("type", [
  hello,
  ready,
  echoes,
  bytes,
  tcp,
  packets,
  statuses,
  guest,
  broken,
  noSession,
  summary,
]);

/** A line of a prober's standard output. */
export type ProberMessage = z.infer<typeof message>;
export type EchoesMessage = z.infer<typeof echoes>;
export type BytesMessage = z.infer<typeof bytes>;

/** @throws SojournError `SOJ_PROBER_PROTOCOL` when the line is not a message or its arrays disagree. */
export function parseProberMessage(line: string): ProberMessage {
  const parsed = message.safeParse(parseJson(line));
  if (!parsed.success || !isConsistent(parsed.data)) {
    throw new SojournError(
      "SOJ_PROBER_PROTOCOL",
      `the prober said something that is not of its protocol: ${JSON.stringify(line.slice(0, 120))}`,
    );
  }
  return parsed.data;
}

function isConsistent(data: ProberMessage): boolean {
  if (data.type === "echoes") return data.sent_us.length === data.received_us.length;
  if (data.type === "bytes") {
    return data.bytes.length === data.gap_us.length && data.bytes.length === data.gap_end_us.length;
  }
  return true;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
