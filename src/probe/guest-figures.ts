import { z } from "zod";

/** Pages of the lab's guest that tell about itself (`src/lab/guest/src/pages.c`). */
export const guestPages = { clock: "/clock", tcp: "/tcp" } as const;

const clockPage = z.object({ realtime_ns: z.string().regex(/^\d{1,19}$/) });
const counter = z.number().int().nonnegative();
const tcpPage = z.object({ retransmissions: counter, timeouts: counter });

/** The guest's wall clock in milliseconds since 1970, or null when the page is something else. */
export function readGuestClockMs(text: string): number | null {
  const page = clockPage.safeParse(parseJson(text));
  return page.success ? Number(BigInt(page.data.realtime_ns) / 1000n) / 1000 : null;
}

/** Totals of the guest's kernel over all sessions, or null when the page is something else. */
export function readGuestTcp(text: string): { retransmissions: number; rto: number } | null {
  const page = tcpPage.safeParse(parseJson(text));
  if (!page.success) return null;
  return { retransmissions: page.data.retransmissions, rto: page.data.timeouts };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
