/**
 * A counter of `/proc/net/netstat` or `/proc/net/snmp`, which hold a line of names and a line of values for
 * each group (proc_net(5)); null when it is not there.
 */
export function readCounter(text: string, group: string, name: string): number | null {
  const [names = "", values = ""] = text
    .split("\n")
    .filter((line) => line.startsWith(`${group}: `));
  const value = values.split(" ")[names.split(" ").indexOf(name)];
  return value !== undefined && /^\d{1,20}$/.test(value) ? Number(value) : null;
}
