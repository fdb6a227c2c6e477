/** The query of a path by parameter. */
export type Query = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

/** A path of the API with its segments and its query encoded; what is undefined is left out. Pure. */
export function pathOf(segments: readonly string[], query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined) continue;
    const several = typeof value === "object" ? value : [String(value)];
    for (const one of several) search.append(key, one);
  }
  const path = `/${segments.map(encodeURIComponent).join("/")}`;
  return search.size === 0 ? path : `${path}?${search}`;
}

/** The `cursor` of a `Link` header with `rel="next"` (RFC 8288); null when there is none. Pure. */
export function nextCursor(link: string | null): string | null {
  const target = /<([^>]*)>\s*;\s*rel="?next"?/.exec(link ?? "")?.[1];
  if (target === undefined) return null;
  return URL.parse(target, "http://localhost")?.searchParams.get("cursor") ?? null;
}
