import { deleteFilter, findFilters } from "./bpf/filters.ts";
import { foreignObject, tunnelFailed } from "./errors.ts";
import { isTunnelName, linkGroup } from "./identity.ts";
import { type Link, readLinks } from "./inspect.ts";
import { type Action, command, type Run } from "./steps.ts";

/** Names of the interfaces here that are tunnels of ours. */
export async function listTunnels(run: Run): Promise<string[]> {
  return (await readLinks(run)).filter(isOurs).map(({ name }) => name);
}

/**
 * Removes a tunnel's device, and its filters wherever they are; nothing when there is nothing.
 * @throws SojournError `SOJ_TUNNEL_FOREIGN` when the name is somebody else's.
 */
export async function removeTunnel(run: Run, name: string): Promise<void> {
  if (!isTunnelName(name))
    throw foreignObject(`${name} does not have the form of our tunnel names`);
  const left: string[] = [];
  let failure: unknown;
  for (const action of await removalSteps(run, name)) {
    try {
      await action.perform();
    } catch (error) {
      failure ??= error;
      left.push(action.text);
    }
  }
  if (left.length > 0) throw tunnelFailed(`tunnel ${name} is not removed entirely`, failure, left);
}

/** What `removeTunnel` does, in order. */
export async function removalSteps(run: Run, name: string): Promise<Action[]> {
  const link = (await readLinks(run)).find((candidate) => candidate.name === name);
  if (link !== undefined) refuseForeign(link);
  const actions = (await findFilters(run, name)).map((at) => deleteFilter(run, at));
  if (link !== undefined) actions.push(command(run, "ip", "link", "del", "dev", name));
  return actions;
}

/** @throws SojournError `SOJ_TUNNEL_FOREIGN` when a device has a name of ours without our mark. */
export function refuseForeign(link: Link): void {
  if (isOurs(link)) return;
  throw foreignObject(
    `the interface name ${link.name} is taken by a ${link.kind ?? link.type} device`,
  );
}

function isOurs(link: Link): boolean {
  return isTunnelName(link.name) && link.group === String(linkGroup);
}
