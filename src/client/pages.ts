import type { Connection } from "./connection.ts";
import { notUnderstood } from "./failures.ts";
import { nextCursor, pathOf, type Query } from "./paths.ts";

/** Part of a list, and where its next part begins; null after the last. */
export interface Page<Item> {
  items: Item[];
  next: string | null;
}

const largestPage = 1_000;

/** One page, with as many items as the query's `limit` says. @throws as `Connection.json`, also for what is no list. */
export async function pageOf<Item>(
  connection: Connection,
  segments: readonly string[],
  query: Query,
): Promise<Page<Item>> {
  const path = pathOf(segments, query);
  const { body, link } = await connection.answer<Item[]>({ method: "GET", path });
  if (!Array.isArray(body)) throw notUnderstood("not a list");
  return { items: body, next: nextCursor(link) };
}

/** The items of all pages, in the list's order. @throws as `pageOf`, also for pages that do not come to an end. */
export async function* eachItem<Item>(
  connection: Connection,
  segments: readonly string[],
  query: Query = {},
): AsyncGenerator<Item> {
  const seen = new Set<string>();
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const asked = { ...query, limit: largestPage, cursor };
    const { items, next }: Page<Item> = await pageOf(connection, segments, asked);
    yield* items;
    if (next !== null && (items.length === 0 || seen.has(next))) {
      throw notUnderstood("a list without an end");
    }
    cursor = next;
    if (next !== null) seen.add(next);
  }
}
