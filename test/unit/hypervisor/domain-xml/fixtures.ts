import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Domains in the shape that their makers give them. */
export const origins = [
  "virt-install",
  "virt-manager-running",
  "nova",
  "by-hand",
  "lab-migratable",
] as const;

export function fixture(origin: (typeof origins)[number]): string {
  return readFileSync(join(import.meta.dirname, "fixtures", `${origin}.xml`), "utf8");
}

/** The least that is a domain, with more of its own in `<devices>`. */
export function smallDomain(devices = "", rest = ""): string {
  return `<domain type='kvm'><name>g</name><uuid>0a0b0c0d-1111-4222-8333-444455556666</uuid><memory>65536</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>${rest}<devices>${devices}</devices></domain>`;
}
