import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";

/** Query of a list that is given in pages. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1_000).default(100).meta({
    description: 'How many at most; more are behind the `Link` header with `rel="next"`',
  }),
  cursor: z.string().min(1).max(200).optional().meta({
    description: "From a `Link` header: what comes after the page that it came with",
  }),
});

type PageQuery = Pick<z.output<typeof pageQuery>, "limit" | "cursor">;

/**
 * One page of `items`, and a `Link` header to the next one (RFC 8288) when there is more. Entries that come and go
 * between two pages move no others to another page.
 * @param keyOf what `items` are sorted by as text, each once; the cursor is that of a page's last item.
 */
export function sendPage<Item>(
  request: FastifyRequest,
  reply: FastifyReply,
  items: readonly Item[],
  keyOf: (item: Item) => string,
): Item[] {
  const { limit, cursor } = request.query as PageQuery;
  const rest = cursor === undefined ? items : items.filter((item) => keyOf(item) > cursor);
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  linkNext(request, reply, rest.length > limit && last !== undefined ? keyOf(last) : null);
  return page;
}

/** Tells where the next page is (RFC 8288); nothing after the last. */
export function linkNext(
  request: FastifyRequest,
  reply: FastifyReply,
  cursor: string | null,
): FastifyReply {
  if (cursor === null) return reply;
  return reply.header("link", `<${nextUrl(request.url, cursor)}>; rel="next"`);
}

function nextUrl(url: string, cursor: string): string {
  const [path = "", query] = url.split("?", 2);
  const parameters = new URLSearchParams(query);
  parameters.set("cursor", cursor);
  return `${path}?${parameters}`;
}
