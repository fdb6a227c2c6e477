import type { HostNetwork } from "../../../migrator/host-network.ts";
import type { RecordStore } from "../../../migrator/record-store.ts";
import { startTimer } from "../../../platform/clock.ts";
import { findTool, runCommand } from "../../../platform/command.ts";
import { preconditionError } from "../../../platform/errors.ts";
import type { TunnelInterface, TunnelKind, Tunnels } from "../../../tunnels/tunnel.ts";
import {
  countingTable,
  deletingTable,
  type PathCounts,
  readCounts,
  tableName,
} from "./path-counter.ts";

/** One end of a tunnel that is probed. */
export interface PathEndSpec {
  kind: TunnelKind;
  localAddress: string;
  remoteAddress: string;
  /** 16 bytes in hex: of the packets that are counted here, and sent here. */
  nonce: string;
}

interface OpenEnd extends AsyncDisposable {
  tunnel: TunnelInterface;
  table: string;
}

/** Longest time that an end stays open: nobody changes this host's network meanwhile. */
const longestMs = 12_000;
const pingsPerProbe = 4;
/** Programs that send probes at the same time: small and full-size ones. */
const mostSending = 2;

export interface PathEndContext {
  tunnels: Tunnels;
  network: Pick<HostNetwork, "hold">;
  records: Pick<RecordStore, "all">;
}

/**
 * This host's ends of tunnels that are made, or found, for `doctor` alone. While one is open the network is held, so
 * none is opened while a guest moves: whoever wants to move one waits for a few seconds at its preparation.
 */
export class PathEnds implements AsyncDisposable {
  readonly #context: PathEndContext;
  #current: { key: string; end: OpenEnd } | null = null;
  #isOpening = false;
  #sending = 0;

  constructor(context: PathEndContext) {
    this.#context = context;
  }

  /**
   * @throws SojournError `SOJ_DOCTOR_BUSY` while a migration or another check is under way; `SOJ_TUNNEL_…` when this
   *   kernel cannot make such a tunnel.
   */
  async open(spec: PathEndSpec): Promise<{ mtu: number; datapath: "kernel" | "bpf" }> {
    if (this.#current !== null || this.#isOpening) {
      throw busy("another check of a tunnel is under way");
    }
    this.#refuseWhileMoving();
    // None waits behind another one for the network: a guest's turn would come after all of them.
    this.#isOpening = true;
    try {
      return await this.#open(spec);
    } finally {
      this.#isOpening = false;
    }
  }

  async #open(spec: PathEndSpec): Promise<{ mtu: number; datapath: "kernel" | "bpf" }> {
    await using made = new AsyncDisposableStack();
    made.use(await this.#context.network.hold());
    // A guest that has begun to move while this waited for its turn goes first.
    this.#refuseWhileMoving();
    const { tunnels } = this.#context;
    const { interfaceName } = await tunnels.describe(spec);
    // A tunnel that guests use stays, and so does what it carries.
    const isOfGuests = (await tunnels.list()).includes(interfaceName);
    const table = tableName(interfaceName);
    const counting = { ...spec, isForProbesAlone: !isOfGuests };
    made.defer(async () => void (await runCommand("nft", [deletingTable(table)])));
    await runCommand("nft", [countingTable(table, interfaceName, counting)]);
    if (!isOfGuests) made.defer(() => tunnels.remove(spec));
    const tunnel = await tunnels.ensure(spec);
    const timer = startTimer(() => void this.close(spec).catch(() => {}), longestMs, false);
    made.defer(async () => timer.cancel());
    const owned = made.move();
    const end = { tunnel, table, [Symbol.asyncDispose]: () => owned.disposeAsync() };
    this.#current = { key: keyOf(spec), end };
    return { mtu: tunnel.mtu, datapath: tunnel.datapath };
  }

  /** Sends probes of `bytes` (of the inner packet) into the tunnel; nobody answers them. */
  async send(spec: PathEndSpec, bytes: number): Promise<void> {
    const { tunnel } = this.#of(spec);
    if (this.#sending >= mostSending) throw busy("probes are being sent");
    const args = [
      ...["-n", "-q", "-I", tunnel.interfaceName, "-M", "do", "-s", String(bytes - 28)],
      ...["-p", spec.nonce, "-c", String(pingsPerProbe), "-i", "0.05", "-W", "0.2"],
      spec.remoteAddress,
    ];
    this.#sending += 1;
    try {
      await runCommand(findTool("ping"), args, { acceptExitCodes: [1, 2], timeoutMs: 5_000 });
    } finally {
      this.#sending -= 1;
    }
  }

  /** What has arrived here with the nonce since the end was opened. */
  async count(spec: PathEndSpec): Promise<PathCounts> {
    const { table } = this.#of(spec);
    const { stdout } = await runCommand("nft", ["-j", "list", "table", "ip", table]);
    return readCounts(stdout);
  }

  /** Removes what was made; nothing when it is not open any more. */
  async close(spec: PathEndSpec): Promise<void> {
    if (this.#current?.key !== keyOf(spec)) return;
    const { end } = this.#current;
    this.#current = null;
    await end[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const current = this.#current;
    this.#current = null;
    await current?.end[Symbol.asyncDispose]();
  }

  #of(spec: PathEndSpec): OpenEnd {
    if (this.#current?.key === keyOf(spec)) return this.#current.end;
    throw preconditionError("SOJ_DOCTOR_CLOSED", "the check of this tunnel is over", {
      hint: "the hosts may be slow: ask again",
    });
  }

  #refuseWhileMoving(): void {
    const isMoving = this.#context.records.all().some(({ migration }) => migration !== null);
    if (isMoving) throw busy("a guest is moving");
  }
}

function keyOf({ kind, localAddress, remoteAddress, nonce }: PathEndSpec): string {
  return `${kind} ${localAddress} ${remoteAddress} ${nonce}`;
}

function busy(reason: string): Error {
  return preconditionError("SOJ_DOCTOR_BUSY", `${reason}: the tunnel is not probed now`, {
    retryable: true,
    hint: "ask again when no migration is under way: sojourn status",
  });
}
