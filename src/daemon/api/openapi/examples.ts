import type { JsonSchema, MediaType } from "./document.ts";

/** Gives a body the example of its schema, where that has one, in place. */
export function examplesOf(media: MediaType, schemas: Readonly<Record<string, JsonSchema>>): void {
  const example = exampleOf(media.schema, schemas, 0);
  if (example !== undefined) media.example ??= example;
}

/** The schema's own example, or one made of its parts'; undefined when one of them has none. Pure. */
function exampleOf(
  schema: JsonSchema | undefined,
  schemas: Readonly<Record<string, JsonSchema>>,
  depth: number,
): unknown {
  if (schema === undefined || depth > 8) return undefined;
  const of = (part: unknown) => exampleOf(part as JsonSchema | undefined, schemas, depth + 1);
  if (typeof schema.$ref === "string") return of(schemas[schema.$ref.split("/").at(-1) ?? ""]);
  if (Array.isArray(schema.examples)) return schema.examples[0];
  if (schema.example !== undefined) return schema.example;
  if (Array.isArray(schema.anyOf)) return schema.anyOf.map(of).find((one) => one !== undefined);
  if (schema.type !== "array") return undefined;
  const item = of(schema.items);
  return item === undefined ? undefined : [item];
}
