import { kernelState, type TestLab } from "../../support/lab.ts";

/** What `kernelState` tells, by host and kind. */
export type KernelStates = Record<string, Record<string, string>>;

/** The kernel state of several hosts, in a form that compares across restarts, moves and traffic. */
export async function kernelStates(
  lab: Pick<TestLab, "run">,
  hosts: readonly string[],
): Promise<KernelStates> {
  const states = hosts.map(async (host) => [host, await kernelState(lab, host)] as const);
  return comparable(Object.fromEntries(await Promise.all(states)));
}

/** Without what the kernel numbers or draws anew each time, and what comes and goes with traffic and guests. */
function comparable(states: KernelStates): KernelStates {
  const text = JSON.stringify(states)
    .replace(/ (id|tag|pref|handle) [0-9a-fx]+/g, " $1 N")
    .replace(/(qdisc \w+) [0-9a-f]+:/g, "$1 N:")
    .replace(/ linkdown\b|NO-CARRIER,|,LOWER_UP/g, "")
    .replace(/(guests0 +)(UP|DOWN)\b/g, "$1")
    .replace(/(sjx[0-9a-f]+\S* +UP +)[0-9a-f:]{17}/g, "$1MAC")
    .replace(/elements = \{[^}]* expires [^}]*\}/g, "")
    .replace(/(\\[nt]|\s)+/g, " ");
  const parsed = JSON.parse(text) as KernelStates;
  for (const state of Object.values(parsed)) {
    for (const [name, value] of Object.entries(state)) state[name] = value.trim();
    const tables = (state.nft ?? "").split(/(?=\btable )/).map((table) => table.trim());
    state.nft = tables.toSorted().join(" ");
  }
  return parsed;
}
