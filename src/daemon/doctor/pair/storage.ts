import type { GuestDefinition } from "../../../hypervisor/definition.ts";
import { StorageProber } from "../../../hypervisor/storage/storage-prober.ts";
import { counted } from "../../../platform/counted.ts";
import type { PeerCaller } from "../../../platform/procedures.ts";
import type { DoctorCheck } from "../../services.ts";
import { definedUses, type FileUse } from "../../storage/file-uses.ts";
import { type Finding, sentenceOf, warn as warnOf } from "../../storage/finding.ts";
import { DigestMemory } from "../../storage/host-storage.ts";
import type { storageProcedures } from "../../storage/procedures.ts";
import { findingsAbout } from "../../storage/storage-check.ts";
import { attempt, fail, ok, skipped, type Topic, warn } from "../check.ts";

export type StoragePeer = PeerCaller<typeof storageProcedures>;

/** Whether each guest would find the same storage at the peer; markers are written beside its images meanwhile. */
export async function checkStorageThere(
  host: string,
  peer: StoragePeer,
  guests: readonly GuestDefinition[],
): Promise<DoctorCheck[]> {
  const digests = new DigestMemory();
  const checks: DoctorCheck[] = [];
  for (const guest of guests) {
    const topic: Topic = {
      ...{ id: "peer-storage", subject: guest.name, name: `${guest.name}'s storage` },
      why: "Images are not copied: both hosts must see the same ones, with locks that keep a second copy of the guest off them.",
    };
    const made = await attempt(topic, async () => {
      const uses = definedUses(guest);
      if (uses.length === 0) return skipped(topic, "it has none");
      const { below, unknown } = await imagesBelow(guest, uses);
      const findings = await findingsAbout([...uses, ...below], { host, peer, digests });
      return verdict(topic, [...findings, ...unknown]);
    });
    checks.push(...made);
  }
  return checks;
}

/** One check of all that was found. Pure. */
export function verdict(topic: Topic, findings: readonly Finding[]): DoctorCheck {
  const those = (level: Finding["level"]) => findings.filter((finding) => finding.level === level);
  const [refused, warned] = [those("refuse"), those("warn")];
  const worst = refused.length > 0 ? refused : warned;
  if (worst.length === 0)
    return ok(topic, `${counted(findings.length, "file")}, seen alike by both hosts`);
  const detail = worst.slice(0, 5).map(sentenceOf).join("; ").slice(0, 2_000);
  return (refused.length > 0 ? fail : warn)(topic, detail, { hint: worst[0]?.hint ?? null });
}

/** The images that a guest's own lie on, as their headers tell, and what they do not tell. */
async function imagesBelow(guest: GuestDefinition, uses: readonly FileUse[]) {
  const below: FileUse[] = [];
  const unknown: Finding[] = [];
  const layered = uses.flatMap((use) => {
    const format = guest.disks.find(({ path }) => path === use.path)?.format;
    return use.kind === "disk" && format === "qcow2" ? use : [];
  });
  if (layered.length === 0) return { below, unknown };
  using prober = new StorageProber();
  for (const use of layered) {
    const links = await prober.chain(use.path, "qcow2");
    const label = `an image below ${use.label}`;
    for (const [index, { path, readOnly, reason }] of links.entries()) {
      const one = index === 0 ? use : { ...use, path, label, readOnly: readOnly || use.readOnly };
      if (index > 0) below.push(one);
      if (reason === null) continue;
      const message = `does not tell what it lies on: ${reason}`;
      unknown.push(warnOf(one, "SOJ_DISK_UNPROVEN", message, `look at it: qemu-img info ${path}`));
    }
  }
  return { below, unknown };
}
