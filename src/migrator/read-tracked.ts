import { hasCode } from "../platform/errors.ts";
import type { FlowTable } from "../routing/flows/flow-table.ts";
import type { TrackedFlow } from "../routing/flows/tracked-flow.ts";

/** The flows of `address` that this host tracks; null where it tracks nothing. @throws as `FlowTable.read`. */
export async function readTracked(
  table: Pick<FlowTable, "read">,
  address: string,
): Promise<TrackedFlow[] | null> {
  try {
    return await table.read(address);
  } catch (error) {
    if (hasCode(error, "SOJ_FLOWS_UNTRACKED")) return null;
    throw error;
  }
}
