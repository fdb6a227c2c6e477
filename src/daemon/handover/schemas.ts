import { z } from "zod";
import { handoverStates } from "../../migrator/handover/state.ts";
import { namePattern } from "../../platform/names.ts";

/** Body of `POST /v1/anchor/handover`. */
export const handoverBody = z
  .strictObject({
    to: z.string().regex(namePattern).describe("The other anchor, a peer on the same guest LAN"),
    dry_run: z.boolean().default(false).describe("Only look whether it could be done, and of whom"),
  })
  .meta({ id: "HandoverRequest", examples: [{ to: "anchor-b" }] });

/** A handover of this anchor's, or what one would be. */
export const handoverSchema = z
  .object({
    type: z.literal("handover"),
    id: z.string().nullable().describe("Null of one that was not begun"),
    from: z.string(),
    to: z.string(),
    state: z
      .enum(["planned", ...handoverStates])
      .describe(
        "`done`: the other anchor has all addresses; `undone`: this one has them as before; from `activating` on it goes forward, however long that takes",
      ),
    guests: z.array(z.object({ guest: z.string(), address: z.string(), host: z.string() })),
    begun_ms: z.number().nullable().describe("Milliseconds since 1970"),
    ended_ms: z.number().nullable(),
    error: z
      .object({ code: z.string(), message: z.string() })
      .nullable()
      .describe("Why it was undone, or who has to answer before it can go on"),
  })
  .meta({
    id: "Handover",
    examples: [
      {
        ...{
          type: "handover",
          id: "5f1c0a9b2d3e",
          from: "anchor-a",
          to: "anchor-b",
          state: "done",
        },
        guests: [{ guest: "web1", address: "10.101.0.10", host: "host-b" }],
        ...{ begun_ms: 1_767_225_600_000, ended_ms: 1_767_225_603_000, error: null },
      },
    ],
  });

export type Handover = z.output<typeof handoverSchema>;

/** What an anchor's daemon does about handovers. */
export interface HandoverServices {
  /** Begins one, or only says what it would be. @throws SojournError when it cannot be done; nothing is changed then. */
  handOver(request: z.input<typeof handoverBody>): Promise<Handover>;
  /** The last one. @throws SojournError `SOJ_NO_HANDOVER` (404) when there was none. */
  showHandover(): Promise<Handover>;
}
