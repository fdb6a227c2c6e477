import { Resolver } from "node:dns/promises";
import { runCommand } from "../../platform/command.ts";
import { hasCode, reasonOf, SojournError } from "../../platform/errors.ts";
import type { DnsConfig } from "./config.ts";
import { checkKeyFile } from "./key-file.ts";
import { type NameChange, updateScript } from "./update-script.ts";

/** nsupdate's own patience with a server that is silent, and ours with nsupdate. */
const [serverPatienceS, commandMs] = [5, 15_000];

/** Resolvers keep nothing for longer, whatever a record says (RFC 8767, section 4). */
const longestKeptS = 604_800;

/** The zone's primary server. */
export class NameServer {
  readonly #config: DnsConfig;

  constructor(config: DnsConfig) {
    this.#config = config;
  }

  /**
   * How long (s) resolvers may keep `address` for `name`, a week at most; null when the name does not lead there.
   * @throws SojournError `SOJ_DNS_SILENT` when the server gives no answer, or a refusal.
   */
  async ttlOf(name: string, address: string): Promise<number | null> {
    const { server, port } = this.#config;
    const resolver = new Resolver({ timeout: 2_000, tries: 2 });
    resolver.setServers([`${server}:${port}`]);
    try {
      const records = await resolver.resolve4(`${name}.`, { ttl: true });
      const ttlS = records.find((record) => record.address === address)?.ttl;
      return ttlS === undefined ? null : Math.min(ttlS, longestKeptS);
    } catch (error) {
      const { code = reasonOf(error) } = error as NodeJS.ErrnoException;
      if (code === "ENOTFOUND" || code === "ENODATA") return null;
      throw new SojournError(
        "SOJ_DNS_SILENT",
        `${server} does not tell where ${name} leads: ${code}`,
        { cause: error, retryable: true, hint: `dig @${server} -p ${port} ${name} A` },
      );
    } finally {
      resolver.cancel();
    }
  }

  /** @throws SojournError `SOJ_DNS_KEY_FILE`, `SOJ_TOOL_MISSING`, or `SOJ_DNS_REFUSED` with the server's reason. */
  async change(change: NameChange): Promise<void> {
    const { server, keyPath } = this.#config;
    await checkKeyFile(keyPath);
    // Over TCP: an answer that was lost would leave open whether the name was changed.
    const args = ["-v", "-t", String(serverPatienceS), "-k", keyPath];
    const input = updateScript(this.#config, change);
    try {
      await runCommand("nsupdate", args, { input, timeoutMs: commandMs, maxOutputBytes: 65_536 });
    } catch (error) {
      if (hasCode(error, "SOJ_TOOL_MISSING")) throw error;
      throw new SojournError(
        "SOJ_DNS_REFUSED",
        `${server} has not updated ${change.name}: ${reasonOf(error)}`,
        { cause: error, retryable: true, hint: "does its zone allow updates with this key?" },
      );
    }
  }
}
