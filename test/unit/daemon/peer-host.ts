import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { GuestAdoption } from "../../../src/daemon/adoption/adoption.ts";
import { openAnchor } from "../../../src/daemon/anchors.ts";
import type { DaemonConfig } from "../../../src/daemon/config.ts";
import { delegationHandlers } from "../../../src/daemon/delegation.ts";
import { doctorHandlers } from "../../../src/daemon/doctor/pair/handlers.ts";
import { PathEnds } from "../../../src/daemon/doctor/pair/path-end.ts";
import { evacuationHandlers } from "../../../src/daemon/evacuation/delegation.ts";
import { Evacuations } from "../../../src/daemon/evacuation/evacuations.ts";
import { EvacuationStore } from "../../../src/daemon/evacuation/store.ts";
import { IdempotentStarts } from "../../../src/daemon/idempotency.ts";
import type { HostDescription } from "../../../src/daemon/inventory/host-description.ts";
import { followHandlers } from "../../../src/daemon/libvirt-hooks/followed.ts";
import { ownCapacity } from "../../../src/daemon/maintenance/capacity.ts";
import { peerLookup } from "../../../src/daemon/peer-lookup.ts";
import { procedures } from "../../../src/daemon/peer-procedures.ts";
import { startPeerServer } from "../../../src/daemon/peer-server.ts";
import type { IssuedCertificate } from "../../../src/daemon/pki.ts";
import { baseHandlers } from "../../../src/daemon/procedures.ts";
import { DigestMemory, storageHandlers } from "../../../src/daemon/storage/host-storage.ts";
import { Destinations } from "../../../src/migrator/destinations.ts";
import { HomeDuties } from "../../../src/migrator/home-duties.ts";
import type { HostContext } from "../../../src/migrator/host-context.ts";
import { Journal } from "../../../src/migrator/journal.ts";
import { decodeJournal } from "../../../src/migrator/journal-format.ts";
import { Migrations } from "../../../src/migrator/migrations.ts";
import { RecordStore } from "../../../src/migrator/record-store.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { Retirements } from "../../../src/migrator/retirements.ts";
import { delay } from "../../../src/platform/clock.ts";
import { preconditionError } from "../../../src/platform/errors.ts";
import { AsyncLock } from "../../../src/platform/lock.ts";
import { createLogger } from "../../../src/platform/log.ts";
import type { ProcedureHandlers } from "../../../src/platform/procedures.ts";
import { diskStorage } from "../../../src/platform/storage.ts";
import { createTestAuthority } from "../../support/host-certificates.ts";
import { memoryHistory } from "../../support/memory-history.ts";
import { untracked } from "../../support/untracked.ts";
import { hostB, temporaryFolder, tunnelOf } from "../migrator/support.ts";

/** What host-b says of itself. */
export const description: HostDescription = {
  ...{ host: "host-b", underlay_address: "172.16.2.2", guest_subnets: ["10.2.0.0/24"] },
  versions: { sojourn: "0.1.0", protocol: 1, qemu: "10.0.0", kernel: "6.1.0" },
  capacity: {
    ...{ cpus: 2, memory_total_bytes: 4e9, memory_available_bytes: 2e9, accelerator: "tcg" },
    ...{ guests_running: 0, guests_memory_bytes: 0, guests_vcpus: 0 },
  },
  ...{ role: "host", tunnels: [], problems: [] },
};

const peers = ["host-a", "host-c"] as const;
type Peer = (typeof peers)[number];
type Certificates = Record<Peer | "host-b", IssuedCertificate>;

/** What a peer got for a request. */
export interface PeerReply {
  status: number;
  body: unknown;
}

/**
 * host-b as its peers see it: the real server, procedures, handlers, journal and records; its hypervisor and kernel
 * only count what they are asked for.
 */
export class PeerHost implements AsyncDisposable {
  readonly records: RecordStore;
  readonly journal: Journal;
  /** What was asked of the hypervisor, the kernel and the starter of migrations. */
  readonly allocated: string[] = [];
  #stack = new AsyncDisposableStack();
  #port = 0;
  readonly #agents = new Map<Peer, Agent>();

  static async start(): Promise<PeerHost> {
    await using stack = new AsyncDisposableStack();
    const authority = stack.use(await createTestAuthority("host-a", "host-b", "host-c"));
    const host = new PeerHost(stack.use(temporaryFolder()).path);
    host.#stack = stack;
    await host.#serve(authority.hosts as Certificates);
    host.#stack = stack.move();
    return host;
  }

  private constructor(folder: string) {
    this.records = new RecordStore(join(folder, "guests"));
    this.journal = new Journal(join(folder, "journal"));
  }

  /** The steps in the journal. */
  steps(): string[] {
    const { records } = decodeJournal(readFileSync(this.journal.path));
    return records.map(({ step }) => step);
  }

  /** POSTs `body` as one of its peers; `path` is what follows `/peer/v1/`. */
  post(
    path: string,
    body: string | Buffer,
    { type = "application/json", as = "host-a" as Peer } = {},
  ): Promise<PeerReply> {
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          ...{ agent: this.#agents.get(as), host: "127.0.0.1", port: this.#port, method: "POST" },
          path: `/peer/v1/${path}`,
          headers: { "content-type": type, "content-length": Buffer.byteLength(body) },
        },
        (response) => {
          let text = "";
          response.on("data", (data) => {
            text += data;
          });
          response.on("error", reject);
          response.on("end", () =>
            resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }),
          );
        },
      );
      sent.on("error", reject);
      sent.end(body);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.#agents.values()) agent.destroy();
    await this.#stack.disposeAsync();
    this.journal[Symbol.dispose]();
  }

  async #serve(certificates: Certificates): Promise<void> {
    const handlers = this.#handlers();
    const server = await startPeerServer({
      tls: certificates["host-b"],
      listen: { address: "127.0.0.1", port: 0 },
      peers: new Set(peers),
      logger: createLogger("silent"),
      procedures,
      handlers: () => handlers,
    });
    this.#stack.use(server);
    this.#port = server.port;
    for (const peer of peers) this.#agents.set(peer, await agentWith(certificates[peer]));
  }

  #handlers(): ProcedureHandlers<typeof procedures> {
    const logger = createLogger("silent");
    const count = (what: string) => async () => {
      this.allocated.push(what);
    };
    const lock = new AsyncLock();
    const changeWhileHeld = async (record: GuestRecord) => {
      this.allocated.push("network");
      // As slow as a kernel, so that what arrives meanwhile does arrive meanwhile.
      await delay(20);
      this.records.put(record);
    };
    const forgetWhileHeld = async (guest: string) => this.records.remove(guest);
    const network = {
      hold: () => lock.acquire(),
      change: (record: GuestRecord) => lock.run(() => changeWhileHeld(record)),
      changeWhileHeld,
      forget: (guest: string) => lock.run(() => forgetWhileHeld(guest)),
      forgetWhileHeld,
      plan: async () => [],
      tunnelInterface: tunnelOf,
    };
    const guests = {
      instance: () => undefined,
      placeFor: () => "none",
      hypervisor: {
        startIncoming: async () => {
          this.allocated.push("process");
          throw new Error("no hypervisor here");
        },
      },
    };
    const homes = { peer: peerLookup("host-b", new Map()) };
    const context = {
      ...{
        host: hostB,
        homes,
        guests,
        network,
        records: this.records,
        journal: this.journal,
        logger,
      },
      ...{ policy: {}, peer: () => null, flows: untracked },
    } as unknown as HostContext;
    const destinations = this.#stack.use(new Destinations(context));
    const migrations = new Migrations(context as never, memoryHistory());
    const starts = new IdempotentStarts(migrations);
    const starter = { start: count("migration"), plan: count("plan") };
    const config = {
      host: hostB,
      guestNetworks: hostB.guestNetworks,
      migration: { tls: true, ports: { first: 40_000, last: 40_010 } },
      libvirt: null,
      peers: new Map(),
    } as unknown as DaemonConfig;
    return {
      ...baseHandlers(config, {
        capabilities: async () => ({ version: "10.0", accelerator: "tcg" }),
      }),
      "describe-host": async () => description,
      capacity: () => ownCapacity("host-b", { isOn: false }, { records: this.records, guests }),
      ...destinations.handlers(),
      ...new HomeDuties({
        ...context,
        isArriving: () => false,
        isRunning: () => false,
      } as never).handlers(),
      ...new Retirements({ ...context, flows: noFlows } as never, {} as never).handlers(),
      ...delegationHandlers(starter as never, starts, migrations, this.records, {
        continueTrace: () => {},
      }),
      ...new GuestAdoption({ config, isGuestStanding: () => true } as never).handlers(),
      ...doctorHandlers({
        config,
        ends: new PathEnds({
          tunnels: { list: async () => [], ensure: count("tunnel") } as never,
          network: {
            hold: async () => {
              throw preconditionError("SOJ_DOCTOR_BUSY", "a guest is moving");
            },
          },
          records: this.records,
        }),
        peer: () => {
          throw preconditionError("SOJ_HOST_UNKNOWN", "nobody can be called from here");
        },
        // What would be looked at is the machine that runs the test.
        isGuestStanding: () => true,
      }),
      ...storageHandlers(new DigestMemory()),
      ...openAnchor({
        ...{ context, peer: () => null as never, stateFolder: join(this.journal.path, "..") },
        ...{ isArriving: () => false, isLeaving: () => false, examinePeer: async () => [] },
        underlayAddressOf: async () => "172.16.3.2",
      }).handlers,
      ...evacuationHandlers(
        new Evacuations({
          ...{ host: "host-b", migrations, logger, isGuestStanding: () => false },
          store: new EvacuationStore(
            join(this.journal.path, "..", "evacuations"),
            diskStorage,
            logger,
          ),
          startMigration: count("migration") as never,
          capacityOf: async () => {
            throw preconditionError("SOJ_PEER_UNREACHABLE", "nobody can be called from here");
          },
          ...{ guestsHere: () => [], checkPeer: () => {}, beginMaintenance: count("maintenance") },
          ...{ eventsOf: () => [], linkBytesPerSecond: async () => null },
        }),
      ),
      ...followHandlers(context, {
        follow: async () => {
          throw preconditionError("SOJ_GUEST_NOT_RUNNING", "no guest runs here");
        },
      }),
    };
  }
}

const noFlows = { read: async () => [], forget: async () => 0 };

async function agentWith({ caPath, certificatePath, keyPath }: IssuedCertificate): Promise<Agent> {
  const [ca, cert, key] = await Promise.all(
    [caPath, certificatePath, keyPath].map((path) => readFile(path)),
  );
  const tls = { ca, cert, key, checkServerIdentity: () => undefined };
  return new Agent({ ...tls, keepAlive: true, maxSockets: 4 } as object);
}
