import type { HostMigrationFacts } from "./procedures.ts";
import type { Keep } from "./resolution-verdict.ts";

type NamedFacts = HostMigrationFacts & { host: string };

/** What an operator's decision rests on, and what it would do. */
export interface Resolution {
  type: "resolution";
  id: string;
  guest: string;
  keep: Keep;
  /** What the asked host is to the migration. */
  role: "source" | "destination";
  here: NamedFacts;
  /** Null when the other side cannot be asked; `unreachable` says why. */
  there: NamedFacts | null;
  unreachable: string | null;
  /** Why it is refused; null when it may be carried out. */
  refusal: string | null;
  /** Empty when it is refused. */
  steps: string[];
}
