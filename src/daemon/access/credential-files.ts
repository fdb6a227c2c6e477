import type { SecureContextOptions } from "node:tls";
import { asSojournError } from "../../platform/errors.ts";
import { AsyncLock } from "../../platform/lock.ts";
import type { Logger } from "../../platform/log.ts";
import { Authenticator } from "./authenticator.ts";
import type { ApiConfig } from "./config.ts";
import { FileWatch } from "./file-watch.ts";
import { readApiTls } from "./tls-files.ts";
import { TokenTable } from "./tokens.ts";
import { readTokensFile } from "./tokens-file.ts";

/** What has been read anew. */
export interface ChangedCredentials {
  /** Null when certificate and key could not be used: the earlier ones go on. */
  tls: SecureContextOptions | null;
  /** Clients' certificates are judged by another authority. */
  isAuthorityNew: boolean;
}

const defaultCheckMs = 1_000;

/**
 * Certificates and tokens of the API as the files have them. Certificates that cannot be used leave the earlier ones in
 * force; tokens that cannot be read safely are none at all, until the file is mended.
 */
export class CredentialFiles implements Disposable {
  readonly authenticator = new Authenticator();
  /** Called after each reading but the first. */
  onChange: (changed: ChangedCredentials) => void = () => {};
  readonly #config: ApiConfig;
  #clients: ApiConfig["clients"];
  readonly #logger: Logger;
  readonly #watch: FileWatch;
  readonly #lock = new AsyncLock();
  readonly #complaints = new Set<string>();
  #authority: string | null = null;

  constructor(config: ApiConfig, logger: Logger, checkMs = defaultCheckMs) {
    this.#config = config;
    this.#clients = config.clients;
    this.#logger = logger;
    const { certificatePath, keyPath, clientCaPath, tokensPath } = config;
    const paths = [certificatePath, keyPath, tokensPath];
    if (clientCaPath !== null) paths.push(clientCaPath);
    this.#watch = new FileWatch(paths, () => this.#readNext(), checkMs);
  }

  /** Reads all for the first time, then watches. @throws SojournError what is wrong with a file. */
  async start(): Promise<SecureContextOptions> {
    await this.#watch.start();
    const tls = await readApiTls(this.#config);
    this.#authority = authorityOf(tls);
    this.#accept(new TokenTable(await readTokensFile(this.#config.tokensPath)));
    return tls;
  }

  /** Reads all again, whether or not something seems to have changed; `clients` are the roles from now on. */
  async reload(clients: ApiConfig["clients"]): Promise<void> {
    this.#clients = clients;
    await this.#readNext();
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }

  /** One after the other: an earlier reading must not come in after a later one. */
  #readNext(): Promise<boolean> {
    return this.#lock.run(() => this.#readAgain());
  }

  async #readAgain(): Promise<boolean> {
    const [tls, tokens] = await Promise.all([this.#readTls(), this.#readTokens()]);
    this.#accept(tokens ?? new TokenTable([]));
    const authority = tls === null ? this.#authority : authorityOf(tls);
    const isAuthorityNew = authority !== this.#authority;
    this.#authority = authority;
    this.onChange({ tls, isAuthorityNew });
    const isComplete = tls !== null && tokens !== null;
    if (isComplete) this.#complaints.clear();
    if (isComplete) this.#logger.info("certificates and tokens of the API were read again");
    return isComplete;
  }

  #accept(tokens: TokenTable): void {
    this.authenticator.replace({ tokens, clients: this.#clients });
  }

  /** Once for each fault: it is looked for again every second. */
  #complain(error: unknown, consequence: string): void {
    const fault = asSojournError(error);
    if (this.#complaints.has(fault.message)) return;
    this.#complaints.add(fault.message);
    this.#logger.error({ code: fault.code, fault: fault.message, hint: fault.hint }, consequence);
  }

  #readTls(): Promise<SecureContextOptions | null> {
    return readApiTls(this.#config).catch((error: unknown) => {
      this.#complain(error, "the API keeps its earlier certificate");
      return null;
    });
  }

  #readTokens(): Promise<TokenTable | null> {
    return readTokensFile(this.#config.tokensPath).then(
      (tokens) => new TokenTable(tokens),
      (error: unknown) => {
        this.#complain(error, "no token is accepted until the file is mended");
        return null;
      },
    );
  }
}

function authorityOf(tls: SecureContextOptions): string | null {
  return tls.ca === undefined ? null : String(tls.ca);
}
