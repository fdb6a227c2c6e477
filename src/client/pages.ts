import type { Connection } from "./connection.ts";
import { nextCursor, pathOf, type Query } from "./paths.ts";

/** Part of a list, and where its next part begins; null after the last. */
export interface Page<Item> {
  items: Item[];
  next: string | null;
}

const largestPage = 1_000;

/** One page, with as many items as the query's `limit` says. @throws as `Connection.json`. */
export async function pageOf<Item>(
  connection: Connection,
  segments: readonly string[],
  query: Query,
): Promise<Page<Item>> {
  const path = pathOf(segments, query);
  const { body, link } = await connection.answer<Item[]>({ method: "GET", path });
  return { items: body, next: nextCursor(link) };
}

/** The items of all pages, in the list's order. @throws as `Connection.json`. */
export async function* eachItem<Item>(
  connection: Connection,
  segments: readonly string[],
  query: Query = {},
): AsyncGenerator<Item> {
  let cursor: string | undefined;
  do {
    const page: Page<Item> = await pageOf(connection, segments, {
      ...query,
      limit: largestPage,
      cursor,
    });
    yield* page.items;
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
}
