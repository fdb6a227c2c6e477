import type { FileDigest } from "../../hypervisor/storage/digest.ts";
import type { StorageFile } from "../../hypervisor/storage/file-facts.ts";
import { StorageProber } from "../../hypervisor/storage/storage-prober.ts";
import { preconditionError, SojournError } from "../../platform/errors.ts";
import type { PeerCaller } from "../../platform/procedures.ts";
import type { FileUse } from "./file-uses.ts";
import type { DigestMemory } from "./host-storage.ts";
import { answersIn, markerFolder, type PlacedMarker, placeMarkers } from "./placed-markers.ts";
import type { storageProcedures } from "./procedures.ts";

/** What was found out about one file of a guest. */
export interface Comparison {
  use: FileUse;
  here: StorageFile;
  there: StorageFile;
  marker: MarkerEvidence | null;
  /** Whether both hold the same; a reason when that was not found out; null when nobody asked. */
  content: { isSame: boolean | null; reason: string | null } | null;
}

export interface MarkerEvidence {
  /** Why this host could not write it; null when it could. */
  unplaced: string | null;
  isLockedHere: boolean;
  /** Whether the other host's answer arrived. */
  isAnswered: boolean;
}

export interface CompareOptions {
  host: string;
  peer: PeerCaller<typeof storageProcedures>;
  digests: DigestMemory;
}

/**
 * Finds out what both hosts see where a guest's storage is; neither the guest nor its images are touched. In the
 * folders of images, files of this host's are there meanwhile (marker.ts).
 * @throws SojournError `SOJ_STORAGE_SILENT` naming host and path; what calling the peer throws.
 */
export async function compareStorage(
  uses: readonly FileUse[],
  { host, peer, digests }: CompareOptions,
): Promise<Comparison[]> {
  if (uses.length === 0) return [];
  using prober = new StorageProber();
  const ask = (marks: readonly (PlacedMarker | undefined)[]) =>
    saidBy(peer.peer, peer.call("look-at-storage", { files: uses.map(questionWith(marks)) }));
  // Without an image there is no marker, and neither host waits for the other one.
  const early = uses.some(({ kind }) => kind === "disk") ? null : ask([]);
  early?.catch(() => {});
  const here = await saidBy(host, prober.look(uses.map(({ path }) => ({ path }))));
  const folders = uses.map((use, index) => markerFolder(use, here[index]));
  const placed = await saidBy(host, placeMarkers(prober, here, folders));
  const marks = folders.map((folder) => placed.get(folder ?? ""));
  const { files: there } = await (early ?? ask(marks));
  const answered = await saidBy(host, answersIn(prober, marks, there));
  const comparisons = uses.map((use, index): Compared => {
    const mark = marks[index];
    return {
      ...{ use, here: demand(here[index]), there: demand(there[index]), content: null },
      marker: mark === undefined ? null : { ...mark, isAnswered: answered.has(mark.request.nonce) },
    };
  });
  await compareContents(comparisons.filter(needsReading), prober, { host, peer, digests });
  return comparisons;
}

type Compared = Comparison & { there: { digest: FileDigest | null } };

function questionWith(marks: readonly (PlacedMarker | undefined)[]) {
  return ({ path, readOnly, isVouchedFor }: FileUse, index: number) => {
    const mark = marks[index];
    const marker = mark?.unplaced === null ? mark.request : null;
    return { path, marker, digest: readOnly && !isVouchedFor };
  };
}

/** Of what is only read, an equal copy does as well. */
function needsReading({ use, here, there, marker }: Comparison): boolean {
  if (!use.readOnly || use.isVouchedFor) return false;
  if (here.found !== "file" || there.found !== "file") return false;
  if (here.size_bytes !== there.size_bytes) return false;
  return !(there.marker?.seen && marker?.isAnswered && here.inode === there.inode);
}

async function compareContents(
  comparisons: readonly Compared[],
  prober: StorageProber,
  { host, peer, digests }: CompareOptions,
): Promise<void> {
  const unread = comparisons.filter(({ there }) => there.digest === null);
  const files = comparisons.map(({ here }) => here);
  const [ours, theirs] = await Promise.all([
    saidBy(host, digests.of(prober, files)),
    unread.length === 0
      ? []
      : saidBy(
          peer.peer,
          peer.call("digest-files", { paths: unread.map(({ use }) => use.path) }),
        ).then(({ digests: read }) => read),
  ]);
  for (const [index, comparison] of comparisons.entries()) {
    const own = ours[index];
    const other = comparison.there.digest ?? theirs[unread.indexOf(comparison)];
    const reason = own?.reason ?? other?.reason ?? null;
    const isSame = own?.sha256 && other?.sha256 ? own.sha256 === other.sha256 : null;
    comparison.content = { isSame, reason };
  }
}

/** @throws `SOJ_STORAGE_SILENT` with the host's name; other errors as they are. */
async function saidBy<Result>(host: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof SojournError) || error.code !== "SOJ_STORAGE_SILENT") throw error;
    throw preconditionError("SOJ_STORAGE_SILENT", `on ${host}: ${error.message}`, {
      ...{ retryable: true, cause: error, guestState: "untouched" },
      ...(error.hint === null ? {} : { hint: error.hint }),
    });
  }
}

function demand<File extends StorageFile>(file: File | undefined): File {
  if (file !== undefined) return file;
  throw new SojournError("SOJ_PEER_PROTOCOL", "the other host did not tell of every file");
}
