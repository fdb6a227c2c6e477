import { randomBytes } from "node:crypto";
import { dirname } from "node:path";
import type { StorageFile } from "../../hypervisor/storage/file-facts.ts";
import type { StorageProber } from "../../hypervisor/storage/storage-prober.ts";
import type { FileUse } from "./file-uses.ts";
import { largeBytes } from "./procedures.ts";

/** The folder into which a marker goes to find out about this file; null when it tells nothing. */
export function markerFolder(use: FileUse, here: StorageFile | undefined): string | null {
  if (use.kind === "boot" || use.isVouchedFor || here?.found !== "file") return null;
  if (use.readOnly && here.size_bytes < largeBytes) return null;
  return here.real === null ? null : dirname(here.real);
}

/** A marker of this host's, and what became of it. */
export interface PlacedMarker {
  request: { nonce: string; answer: string };
  unplaced: string | null;
  isLockedHere: boolean;
}

/** Writes one into each folder, beside a file of it; gives them by folder. */
export async function placeMarkers(
  prober: StorageProber,
  here: readonly StorageFile[],
  folders: readonly (string | null)[],
): Promise<Map<string, PlacedMarker>> {
  const wanted = [...new Set(folders.filter((folder) => folder !== null))].map((folder) => ({
    ...{ folder, nonce: nonce(), answer: nonce() },
    real: here[folders.indexOf(folder)]?.real ?? folder,
  }));
  if (wanted.length === 0) return new Map();
  const results = await prober.place(wanted.map(({ real, nonce }) => ({ real, nonce })));
  return new Map(
    wanted.map(({ folder, nonce, answer }, index) => {
      const { reason = "it was not tried", isLocked = false } = results[index] ?? {};
      const request = { nonce, answer };
      return [folder, { request, unplaced: reason, isLockedHere: isLocked }];
    }),
  );
}

/** The nonces of markers in which an answer that the other host has written shows. */
export async function answersIn(
  prober: StorageProber,
  marks: readonly (PlacedMarker | undefined)[],
  there: readonly StorageFile[],
): Promise<Set<string>> {
  const written = marks.filter((_, index) => there[index]?.marker?.answer === "written");
  const asked = [...new Set(written)].flatMap((mark) => mark?.request ?? []);
  if (asked.length === 0) return new Set();
  const answers = await prober.confirm(asked);
  return new Set(asked.filter((_, index) => answers[index]).map(({ nonce }) => nonce));
}

function nonce(): string {
  return randomBytes(16).toString("hex");
}
