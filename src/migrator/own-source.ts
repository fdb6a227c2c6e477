import { preconditionError } from "../platform/errors.ts";
import type { PeerContext, ProcedureHandlers } from "../platform/procedures.ts";
import type { migrationProcedures } from "./procedures.ts";
import type { RecordStore } from "./record-store.ts";

type Handlers = ProcedureHandlers<typeof migrationProcedures>;

/** The handlers, each of which refuses (`SOJ_NOT_SOURCE`) whoever is not the source of the migration under way. */
export function forOwnSource(records: Pick<RecordStore, "get">, handlers: Handlers): Handlers {
  const checked = Object.entries(handlers).map(([name, handle]) => [
    name,
    async (request: { id?: string; guest: string }, context: PeerContext) => {
      checkSource(records, request, context.peer);
      return await handle(request as never, context);
    },
  ]);
  return Object.fromEntries(checked) as Handlers;
}

function checkSource(
  records: Pick<RecordStore, "get">,
  { id, guest }: { id?: string; guest: string },
  peer: string,
): void {
  const migration = records.get(guest)?.migration;
  if (migration?.role !== "destination" || migration.id !== id || migration.peer === peer) return;
  const message = `${peer} is not the source of migration ${id}`;
  throw preconditionError("SOJ_NOT_SOURCE", message, { httpStatus: 403 });
}
