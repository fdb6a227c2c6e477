import type { Command } from "commander";

type Loader = () => Promise<Command>;

/** Every command by its name, loaded when it is needed. */
export const commandLoaders = {
  daemon: async () => (await import("./commands/daemon.ts")).daemonCommand(),
  migrate: async () => (await import("./commands/migrate.ts")).migrateCommand(),
  status: async () => (await import("./commands/status.ts")).statusCommand(),
  watch: async () => (await import("./commands/watch.ts")).watchCommand(),
  cancel: async () => (await import("./commands/cancel.ts")).cancelCommand(),
  resolve: async () => (await import("./commands/resolve.ts")).resolveCommand(),
  retire: async () => (await import("./commands/retire.ts")).retireCommand(),
  report: async () => (await import("./commands/report.ts")).reportCommand(),
  journal: async () => (await import("./commands/journal.ts")).journalCommand(),
  bench: async () => (await import("./commands/bench.ts")).benchCommand(),
  host: async () => (await import("./commands/host.ts")).hostCommand(),
  evacuate: async () => (await import("./commands/evacuate.ts")).evacuateCommand(),
  evacuation: async () => (await import("./commands/evacuation.ts")).evacuationCommand(),
  maintenance: async () => (await import("./commands/maintenance.ts")).maintenanceCommand(),
  guest: async () => (await import("./commands/guest.ts")).guestCommand(),
  anchor: async () => (await import("./commands/anchor.ts")).anchorCommand(),
  flows: async () => (await import("./commands/flows.ts")).flowsCommand(),
  webhook: async () => (await import("./commands/webhook.ts")).webhookCommand(),
  probe: async () => (await import("./commands/probe.ts")).probeCommand(),
  doctor: async () => (await import("./commands/doctor.ts")).doctorCommand(),
  "support-bundle": async () =>
    (await import("./commands/support-bundle.ts")).supportBundleCommand(),
  pki: async () => (await import("./commands/pki.ts")).pkiCommand(),
  token: async () => (await import("./commands/token.ts")).tokenCommand(),
  libvirt: async () => (await import("./commands/libvirt.ts")).libvirtCommand(),
  lab: async () => (await import("./commands/lab.ts")).labCommand(),
} satisfies Record<string, Loader>;
