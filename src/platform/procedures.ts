import type { z } from "zod";

/** One remote procedure: what goes in and what comes out, both checked where they arrive. */
export interface Procedure {
  request: z.ZodType;
  response: z.ZodType;
  /** How long a caller waits unless it says otherwise; 10 s by default. */
  timeoutMs?: number;
}

export type ProcedureTable = Record<string, Procedure>;

/** Who is asking, as its certificate says. */
export interface PeerContext {
  peer: string;
  /** IPv4 addresses that its certificate is for. */
  addresses: readonly string[];
}

/** The serving side of a table. What is thrown reaches the caller as the same `SojournError`. */
export type ProcedureHandlers<Table extends ProcedureTable> = {
  [Name in keyof Table]: (
    request: z.output<Table[Name]["request"]>,
    context: PeerContext,
  ) => Promise<z.input<Table[Name]["response"]>>;
};

export interface CallOptions {
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** The calling side of a table: one peer host. */
export interface PeerCaller<Table extends ProcedureTable> {
  readonly peer: string;
  call<Name extends keyof Table & string>(
    name: Name,
    request: z.input<Table[Name]["request"]>,
    options?: CallOptions,
  ): Promise<z.output<Table[Name]["response"]>>;
}

/** Declares a table of procedures; exists for its types. */
export function definePeerProcedures<const Table extends ProcedureTable>(table: Table): Table {
  return table;
}
