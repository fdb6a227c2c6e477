import fc from "fast-check";
import type { JsonSchema } from "../../../src/daemon/api/openapi/document.ts";

export type Schemas = Readonly<Record<string, JsonSchema>>;

/** Values by the names of parameters and members, so that something is found now and then. */
export type KnownValues = Readonly<Record<string, readonly unknown[]>>;

/** Values that a JSON schema allows, as far as the document's own schemas go; those of known names mostly known. */
export function valuesOf(
  schema: JsonSchema,
  schemas: Schemas,
  known: KnownValues,
): fc.Arbitrary<unknown> {
  const of = (part: unknown) => valuesOf(part as JsonSchema, schemas, known);
  if (typeof schema.$ref === "string") return of(schemas[schema.$ref.split("/").at(-1) ?? ""]);
  if ("const" in schema) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum);
  const parts = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(parts)) return fc.oneof(...parts.map(of));
  if (Array.isArray(schema.type)) {
    return fc.oneof(...schema.type.map((type) => of({ ...schema, type })));
  }
  switch (schema.type) {
    case "string":
      return stringsOf(schema);
    case "integer":
    case "number":
      return numbersOf(schema);
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array": {
      const minLength = Number(schema.minItems ?? 0);
      const maxLength = Math.min(Number(schema.maxItems ?? 5), minLength + 5);
      const items = schema.items === undefined ? fc.jsonValue() : of(schema.items);
      return schema.uniqueItems === true
        ? fc.uniqueArray(items, { minLength, maxLength, comparator: "SameValue" })
        : fc.array(items, { minLength, maxLength });
    }
    case "object":
      return objectsOf(schema, schemas, known);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function stringsOf(schema: JsonSchema): fc.Arbitrary<string> {
  if (typeof schema.pattern === "string") return fc.stringMatching(new RegExp(schema.pattern));
  const minLength = Number(schema.minLength ?? 0);
  return fc.string({ minLength, maxLength: Math.min(Number(schema.maxLength ?? 40), 200) });
}

function numbersOf(schema: JsonSchema): fc.Arbitrary<number> {
  const min = Number(schema.minimum ?? schema.exclusiveMinimum ?? -1e6);
  const max = Number(schema.maximum ?? schema.exclusiveMaximum ?? 1e6);
  if (schema.type === "integer") {
    const isOpen = schema.exclusiveMinimum !== undefined ? 1 : 0;
    return fc.integer({ min: Math.max(min + isOpen, -(2 ** 31)), max: Math.min(max, 2 ** 31) });
  }
  return fc.double({
    ...{ min, max, noNaN: true },
    minExcluded: schema.exclusiveMinimum !== undefined,
    maxExcluded: schema.exclusiveMaximum !== undefined,
  });
}

/** Of a name: mostly one of its known values. */
export function valuesNamed(
  name: string,
  schema: JsonSchema,
  schemas: Schemas,
  known: KnownValues,
): fc.Arbitrary<unknown> {
  const values = valuesOf(schema, schemas, known);
  if (schema.type !== "string" || "enum" in schema) return values;
  const form = new RegExp(String(schema.pattern ?? ""));
  const likely = known[name]?.filter((value) => form.test(String(value))) ?? [];
  if (likely.length === 0) return values;
  return fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...likely) }, values);
}

function objectsOf(schema: JsonSchema, schemas: Schemas, known: KnownValues): fc.Arbitrary<object> {
  const properties = (schema.properties ?? {}) as Record<string, JsonSchema>;
  const members = Object.entries(properties).map(
    ([name, member]) => [name, valuesNamed(name, member, schemas, known)] as const,
  );
  const requiredKeys = (schema.required ?? []) as string[];
  const record = fc.record(Object.fromEntries(members), { requiredKeys });
  const others = schema.additionalProperties;
  if (typeof others !== "object" || others === null || members.length > 0) return record;
  const names = (schema.propertyNames ?? { type: "string", maxLength: 20 }) as JsonSchema;
  const keys = valuesOf(names, schemas, known).filter((key) => key !== "__proto__");
  return fc.dictionary(
    keys as fc.Arbitrary<string>,
    valuesOf(others as JsonSchema, schemas, known),
    {
      maxKeys: 4,
    },
  );
}
