import type { SQLInputValue } from "node:sqlite";
import type { MigrationQuery } from "./migration-query.ts";

/** The condition in SQL that a migration has not ended, or that only the other side knows how. */
export const openCondition = "(ended_ms IS NULL OR state = 'in-doubt')";

/** What follows `FROM migrations` to find those that are meant, with its values. Pure. */
export function clausesOf(query: MigrationQuery): { text: string; values: SQLInputValue[] } {
  const conditions: string[] = [];
  const values: SQLInputValue[] = [];
  const demand = (condition: string, ...bound: (SQLInputValue | undefined)[]) => {
    if (bound.includes(undefined)) return;
    conditions.push(condition);
    values.push(...(bound as SQLInputValue[]));
  };
  demand("guest = ?", query.guest);
  demand("source = ?", query.from);
  demand("destination = ?", query.to);
  demand("started_ms >= ?", query.sinceMs);
  demand("started_ms < ?", query.untilMs);
  demand("(started_ms, id) < (?, ?)", query.after?.startedMs, query.after?.id);
  if (query.states !== undefined) {
    demand(`state IN (${query.states.map(() => "?").join(", ")})`, ...query.states);
  }
  if (query.isOpen !== undefined) demand(query.isOpen ? openCondition : `NOT ${openCondition}`);
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  return {
    text: `${where} ORDER BY started_ms DESC, id DESC LIMIT ?`,
    values: [...values, query.limit],
  };
}
