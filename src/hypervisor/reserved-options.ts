/**
 * QEMU options that would take the process out of our hands: its monitor, identity, run state,
 * migration stream, sandbox, or how it is found again.
 */
const reserved = new Set([
  "S",
  "accel",
  "add-fd",
  "chroot",
  "daemonize",
  "enable-kvm",
  "gdb",
  "incoming",
  "loadvm",
  "mon",
  "monitor",
  "name",
  "no-user-config",
  "nographic",
  "only-migratable",
  "pidfile",
  "preconfig",
  "qmp",
  "qmp-pretty",
  "readconfig",
  "run-with",
  "runas",
  "s",
  "sandbox",
  "snapshot",
  "uuid",
]);

/** The reserved option that an extra argument is, as `-option`; null for any other argument. */
export function reservedOption(argument: string): string | null {
  const option = /^--?([A-Za-z-]+)$/.exec(argument)?.[1];
  return option !== undefined && reserved.has(option) ? `-${option}` : null;
}
