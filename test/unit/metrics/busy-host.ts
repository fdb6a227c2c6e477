import { DaemonMetrics } from "../../../src/daemon/metrics/daemon-metrics.ts";
import { timedStorage } from "../../../src/daemon/metrics/timed-storage.ts";
import { readTlsFiles, type TlsFiles } from "../../../src/daemon/peer-tls.ts";
import { Journal } from "../../../src/migrator/journal.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { monotonicMs } from "../../../src/platform/clock.ts";
import { diskStorage } from "../../../src/platform/storage.ts";
import { fakeServices, reportWith } from "../../support/fake-services.ts";
import { ask } from "../../support/get.ts";
import { createTestAuthority } from "../../support/host-certificates.ts";
import { startLocalDaemon } from "../../support/local-daemon.ts";
import { aToB, promise, recordOf, runningAtHome, temporaryFolder } from "../migrator/support.ts";
import { completedMigration, inDoubtMigration, progressOf, rolledBackMigration } from "./events.ts";

/** What Prometheus gets, over a real socket, of a host on which everything has happened once. */
export async function scrapeOfBusyHost(): Promise<string> {
  const metrics = new DaemonMetrics({ host: "host-a", version: "1.2.3", peers: ["host-b"] });
  const events = [
    ...[progressOf("m1", 1_000), ...completedMigration("m1")],
    ...[...rolledBackMigration("m2"), ...inDoubtMigration("m3")],
  ];
  for (const { migration, event } of events) metrics.note(migration, event);
  noteProbes(metrics);
  noteGates(metrics);
  metrics.peers.answered("host-b", 1.2);
  metrics.peers.failed("host-c", "SOJ_PEER_UNREACHABLE");
  metrics.network.know(
    { figures: { looks: 5, repairs: 1, failures: 1, isAlarmed: true } },
    { refusedPackets: async () => ({ inner_address: 7, outer_address: 2, malformed: 1 }) },
  );
  metrics.api.know({ connections: 3, refused: new Map([["401", 2]]) });
  metrics.hooks.know(() => [
    {
      ...{ subscription: "cmdb", kind: "webhook", attempted: 9, failed: 4, delivered: 5 },
      ...{ dead: 1, dropped: 0, waiting: 2, waitingBytes: 1_024 },
    },
  ]);
  await using authority = await createTestAuthority("host-a");
  const { ca, cert } = await readTlsFiles(authority.hosts["host-a"] as TlsFiles);
  metrics.certificates.know({ peer: cert, authority: ca });
  using folder = temporaryFolder();
  const storage = timedStorage(diskStorage, metrics.journal);
  using journal = new Journal(`${folder.path}/journal`, storage);
  journal.append(promise);
  knowGuests(metrics, journal);
  await using daemon = await startLocalDaemon(() => fakeServices(), { metrics });
  for (const path of ["/v1/guests", "/v1/guests/web9", "/healthz", "/nowhere"]) {
    await ask(daemon.socketPath, path);
  }
  return (await ask(daemon.socketPath, "/metrics")).body;
}

function noteProbes(metrics: DaemonMetrics): void {
  const session = { sessions: 2, broken: 1, retransmissions: null, rto: null, floor_ms: 5 };
  const packets = { sent: 100, lost: 4, unread: 0, duplicated: 0, reordered: 0 };
  metrics.noteMeasured(
    reportWith({
      probes: {
        tcp_echo: { ...session, outage_ms: 28 },
        packet: { ...packets, outage_ms: 30, floor_ms: 2 },
      },
      flows: {
        ...{ established: 3, survived: 2, carried: 2, refused: { ENOMEM: 1 } },
        ...{ carry_ms: 12, difference_ms: 3 },
      },
      within_budget: false,
    }),
  );
}

function noteGates(metrics: DaemonMetrics): void {
  const word = { gate: "change-board", point: "planned", waited_ms: 40 } as const;
  metrics.gates.note({ ...word, decision: "asked", answered: true });
  metrics.gates.note({ ...word, decision: "allow", answered: true });
  metrics.gates.note({ ...word, decision: "deny", answered: false });
}

/** One guest stands here, one is away, one runs. */
function knowGuests(metrics: DaemonMetrics, journal: Journal): void {
  const hosting = runningAtHome;
  const migration = { id: "m3", epoch: 3, role: "source", peer: "host-b", resume: true } as const;
  const away = { host: "host-b", tunnel: aToB };
  const records: GuestRecord[] = [
    { ...recordOf("web1", 10), hosting, migration },
    { ...recordOf("web2", 11), redirect: away },
    { ...recordOf("web3", 12), hosting },
  ];
  metrics.guests.know({
    records: { all: () => records },
    runStates: { get: () => ({ isRunning: true, stoppedMs: null }) },
    standing: {
      list: () => [{ guest: "web1", migration: "m3", sinceMs: monotonicMs() - 7_000 }],
    },
    migrations: {
      isRunning: () => false,
      underWay: () => ({ count: 1, leaving: 1, isGuestStanding: false }),
    },
    journal,
  });
  metrics.drains.know({ figures: () => [{ guest: "web1", flows: 2 }] });
  metrics.drains.noteChange({ ...recordOf("web4", 13), redirect: away }, undefined);
}
