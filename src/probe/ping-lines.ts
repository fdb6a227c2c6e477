/** One answer as ping(8) of iputils prints it with `-D -n`. */
export interface PingReply {
  /** The 16 bits of ICMP's sequence number. */
  sequence: number;
  /** Wall clock at which ping read the answer, in milliseconds since 1970. */
  receivedMs: number;
  roundTripMs: number;
}

const replyPattern =
  /^\[(\d{1,12}\.\d{1,9})\] \d{1,5} bytes from [0-9A-Fa-f.:%a-z-]{2,80}: icmp_seq=(\d{1,5})\b[^\n]{0,40}? time=(\d{1,9}(?:\.\d{1,6})?) ms\b/;
const sentPattern = /^(\d{1,12}) packets transmitted, /;

/** The answer on a line, or null when the line is none (a header, an ICMP error, the statistics). */
export function parsePingReply(line: string): PingReply | null {
  const [, received, sequenceText, roundTrip] = replyPattern.exec(line) ?? [];
  const sequence = Number(sequenceText);
  if (received === undefined || roundTrip === undefined || sequence > 0xffff) return null;
  if (/\bBAD CHECKSUM!|\btruncated\b/.test(line)) return null;
  return { sequence, receivedMs: Number(received) * 1000, roundTripMs: Number(roundTrip) };
}

/** How many requests went out, from the statistics at ping's end, or null on any other line. */
export function parsePingSent(line: string): number | null {
  const sent = sentPattern.exec(line)?.[1];
  return sent === undefined ? null : Number(sent);
}
