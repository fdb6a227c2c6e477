const prefix = "#/components/schemas/";

/** Names of the components that are referred to anywhere in a value. Pure. */
export function refsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(refsIn);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) =>
    key === "$ref" && typeof child === "string" && child.startsWith(prefix)
      ? [child.slice(prefix.length)]
      : refsIn(child),
  );
}

/** Changes the references to components that have another name now, in place. */
export function renameRefs(value: unknown, names: ReadonlyMap<string, string>): void {
  if (typeof value !== "object" || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    if (key === "$ref" && typeof child === "string" && child.startsWith(prefix)) {
      const name = child.slice(prefix.length);
      (value as { $ref: string }).$ref = `${prefix}${names.get(name) ?? name}`;
    } else renameRefs(child, names);
  }
}

/** Lets objects have members that the schema does not name, in place. */
export function stripClosed(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  const schema = value as { additionalProperties?: unknown };
  if (schema.additionalProperties === false) delete schema.additionalProperties;
  for (const child of Object.values(value)) stripClosed(child);
}
