import { preconditionError } from "../platform/errors.ts";
import type { PeerContext, ProcedureHandlers } from "../platform/procedures.ts";
import { checkEpoch } from "./epochs.ts";
import type { HostContext } from "./host-context.ts";
import type { migrationProcedures } from "./procedures.ts";

type Handlers = ProcedureHandlers<typeof migrationProcedures>;
type Known = Pick<HostContext, "records" | "journal">;

/**
 * The handlers, each of which refuses whoever is not the source of the migration (`SOJ_NOT_SOURCE`), under way here or
 * over, and whoever names another guest than the migration's (`SOJ_STALE_EPOCH`).
 */
export function forOwnSource(known: Known, handlers: Handlers): Handlers {
  const checked = Object.entries(handlers).map(([name, handle]) => [
    name,
    async (request: { id?: string; guest: string; epoch?: number }, context: PeerContext) => {
      const { id, epoch = 0 } = request;
      if (id !== undefined) checkSource(known, { ...request, id, epoch }, context.peer);
      return await handle(request as never, context);
    },
  ]);
  return Object.fromEntries(checked) as Handlers;
}

function checkSource(
  known: Known,
  request: { id: string; guest: string; epoch: number },
  peer: string,
): void {
  const arrival = arrivalOf(known, request.id);
  if (arrival === null) return;
  if (arrival.peer !== undefined && arrival.peer !== peer) {
    const message = `${peer} is not the source of migration ${request.id}`;
    throw preconditionError("SOJ_NOT_SOURCE", message, { httpStatus: 403 });
  }
  if (arrival.guest !== request.guest) checkEpoch(undefined, request, "destination");
}

/** Whose migration it is; the journal knows it before the record does, and after. */
function arrivalOf(
  { records, journal }: Known,
  id: string,
): { guest: string; peer?: string | undefined } | null {
  for (const { guest, migration } of records.all()) {
    if (migration?.id === id && migration.role === "destination") return { guest, ...migration };
  }
  const written = journal.recordsOf(id).filter(({ role }) => role === "destination");
  return written.find(({ peer }) => peer !== undefined) ?? written[0] ?? null;
}
