import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IssuedCertificate } from "../../src/daemon/pki.ts";
import { createNamespace, type Namespace } from "./namespaces.ts";
import { type FinishedProcess, finished, said } from "./sojourn-process.ts";

const program = join(import.meta.dirname, "..", "..", "bin", "sojourn");

/** A namespace with its own folders and configuration, in which daemons run as on a host. */
export interface DaemonHost extends AsyncDisposable {
  namespace: Namespace;
  configPath: string;
  socketPath: string;
  /** Starts a daemon; `end` resolves when it has ended, whoever ended it. */
  start(env?: Record<string, string>): {
    child: ChildProcess;
    ready: Promise<void>;
    end: Promise<FinishedProcess>;
  };
  /** The program, for a command line that the test composes itself. */
  program: string;
  /** Runs a command of the CLI there. */
  run(...args: string[]): Promise<FinishedProcess>;
}

export interface DaemonHostOptions {
  name: string;
  address: string;
  certificate: IssuedCertificate;
  peers: Record<string, string>;
  /** Its first two octets, for hosts that must not have the same; by default 10.1. */
  guestNetwork?: string;
}

function guestNetworkOf({ guestNetwork = "10.1" }: Pick<DaemonHostOptions, "guestNetwork">) {
  return { subnet: `${guestNetwork}.0.0/24`, gateway: `${guestNetwork}.0.1` };
}

export async function createDaemonHost(options: DaemonHostOptions): Promise<DaemonHost> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "sojourn-host-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const namespace = stack.use(await createNamespace(options.name));
  await namespace.sysctl("net/ipv4/ip_forward", "1");
  const { gateway } = guestNetworkOf(options);
  await namespace.ip("link add guests0 address 02:00:00:00:99:01 type bridge");
  await namespace.ip(`address add ${gateway}/24 dev guests0`);
  await namespace.ip("link set dev guests0 up");
  await mkdir(join(folder, "guests"));
  const configPath = join(folder, "sojourn.toml");
  await writeFile(configPath, configuration(options, folder));
  const socketPath = join(folder, "run", "sojourn.sock");
  const spawnThere = (args: readonly string[], env: Record<string, string> = {}) =>
    spawn("/usr/sbin/ip", ["netns", "exec", namespace.name, program, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, SOJOURN_SOCKET: socketPath, SOJOURN_LAB: "", ...env },
    });
  const owned = stack.move();
  return {
    namespace,
    configPath,
    socketPath,
    program,
    start: (env) => {
      const child = spawnThere(["daemon", "--config", configPath], env);
      const ready = said(child, '"msg":"ready"');
      ready.catch(() => {});
      return { child, ready, end: finished(child) };
    },
    run: (...args) => finished(spawnThere(args)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function configuration(options: DaemonHostOptions, folder: string) {
  const { name, address, certificate, peers } = options;
  const peerTables = Object.entries(peers).map(
    ([peer, peerAddress]) => `[peers.${peer}]\naddress = "${peerAddress}:7707"\n`,
  );
  return `[host]
name = "${name}"
underlay_address = "${address}"
[[guest_networks]]
subnet = "${guestNetworkOf(options).subnet}"
gateway = "${guestNetworkOf(options).gateway}"
bridge = "guests0"
[peer_api]
listen = "${address}:7707"
ca = "${certificate.caPath}"
certificate = "${certificate.certificatePath}"
key = "${certificate.keyPath}"
[paths]
state = "${folder}/state"
run = "${folder}/run"
guests = "${folder}/guests"
${peerTables.join("")}`;
}
