import { readFileSync } from "node:fs";
import { join } from "node:path";
import type {
  JsonSchema,
  OpenApiDocument,
  OpenApiOperation,
} from "../../../src/daemon/api/openapi/document.ts";
import { root } from "../doc-blocks.ts";

/** docs/openapi.json. */
export const described = JSON.parse(
  readFileSync(join(root, "docs", "openapi.json"), "utf8"),
) as OpenApiDocument;

/** The operation that a request is for. @throws Error when there is none. */
export function describedOperation(method: string, path: string): OpenApiOperation {
  const operation = described.paths[path]?.[method.toLowerCase()];
  if (operation === undefined) throw new Error(`no operation ${method} ${path}`);
  return operation;
}

/** Schema of the JSON that a status comes with. @throws Error when the operation has no such answer. */
export function describedBody({ responses }: OpenApiOperation, status: number): JsonSchema {
  const schema = responses[status]?.content?.["application/json"]?.schema;
  if (schema === undefined) throw new Error(`no JSON with ${status}`);
  return resolved(schema);
}

/** Names of an object's members. */
export function describedMembers(schema: unknown): string[] {
  return Object.keys((resolved(schema as JsonSchema).properties ?? {}) as object);
}

function resolved(schema: JsonSchema): JsonSchema {
  const name = typeof schema.$ref === "string" ? schema.$ref.split("/").at(-1) : undefined;
  return name === undefined ? schema : resolved(described.components.schemas[name] as JsonSchema);
}
