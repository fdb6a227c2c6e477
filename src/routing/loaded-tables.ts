import { runCommand } from "../platform/command.ts";
import { SojournError } from "../platform/errors.ts";
import { nftTable } from "./desired.ts";
import type { LoadedTable } from "./kernel-state.ts";
import { digestInListing, withoutCounters } from "./ruleset.ts";

type Family = "ip" | "bridge";

/**
 * Reads our nftables tables. A table that was loaded by us and listed once is compared with that listing, so
 * a change by somebody else inside it shows (its digest is null then).
 */
export class LoadedTables {
  readonly #seen = new Map<Family, { digest: string; listing: string }>();

  async read(): Promise<{ ip: LoadedTable | null; bridge: LoadedTable | null }> {
    const [ip, bridge] = await Promise.all([this.#readTable("ip"), this.#readTable("bridge")]);
    return { ip, bridge };
  }

  async #readTable(family: Family): Promise<LoadedTable | null> {
    const listing = await listTable(family);
    if (listing === null) {
      this.#seen.delete(family);
      return null;
    }
    const digest = digestInListing(listing);
    if (digest === null) return { digest, listing };
    const comparable = withoutCounters(listing);
    const seen = this.#seen.get(family);
    if (seen?.digest === digest) {
      return { digest: seen.listing === comparable ? digest : null, listing };
    }
    this.#seen.set(family, { digest, listing: comparable });
    return { digest, listing };
  }

  /** Forgets what was seen, after a load of our own. */
  forget(): void {
    this.#seen.clear();
  }
}

async function listTable(family: Family): Promise<string | null> {
  const args = ["list", "table", family, nftTable];
  const { exitCode, stdout, stderr } = await runCommand("nft", args, { acceptExitCodes: [1] });
  if (exitCode === 0) return stdout;
  if (stderr.includes("No such file or directory")) return null;
  throw new SojournError(
    "SOJ_ROUTING_NFT",
    `nft ${args.join(" ")} failed: ${stderr.trim().slice(0, 400)}`,
    { hint: "this needs root and a kernel with nf_tables (`sojourn doctor`)" },
  );
}
