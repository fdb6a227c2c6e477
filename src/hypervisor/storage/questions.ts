import type { ChainLink } from "./backing-chain.ts";
import type { FileDigest } from "./digest.ts";
import type { LookRequest, StorageFile } from "./file-facts.ts";

/** What `StorageProber` asks its program. */
export type Question =
  | { ask: "look"; files: readonly LookRequest[] }
  | { ask: "place"; markers: readonly { real: string; nonce: string }[] }
  | { ask: "confirm"; markers: readonly { nonce: string; answer: string }[] }
  | { ask: "digest"; paths: readonly string[]; limitMs: number }
  | { ask: "chain"; path: string; format: "raw" | "qcow2" };

/** What it answers, in the order of what was asked. */
export interface Answers {
  look: StorageFile[];
  place: PlacedMarker[];
  confirm: boolean[];
  digest: FileDigest[];
  chain: ChainLink[];
}

export interface PlacedMarker {
  /** Why it could not be written; null when it was. */
  reason: string | null;
  isLocked: boolean;
}
