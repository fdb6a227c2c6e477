import type { z } from "zod";
import { usageError } from "../../platform/errors.ts";
import type { Api } from "./api.ts";

const parts: Record<string, string> = {
  body: "request body",
  querystring: "query",
  headers: "headers",
};

/**
 * Checks requests with the routes' zod schemas. Answers are written as they are: the types hold them to their
 * schemas, and a status must reach its reader also where the document lags behind.
 */
export function checkWithZod(app: Api): void {
  app.setValidatorCompiler<z.ZodType>(({ schema, httpPart }) => (value) => {
    const checked = schema.safeParse(value);
    if (checked.success) return { value: checked.data };
    return { error: badRequest(httpPart ?? "body", checked.error) };
  });
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
}

function badRequest(part: string, error: z.ZodError) {
  if (part === "params") {
    const [issue] = error.issues;
    const hint = "letters, digits, '.', '_' and '-', at most 63, the first a letter or digit";
    return usageError(`the path's ${String(issue?.path[0])} is not a name`, hint, "SOJ_BAD_NAME");
  }
  const faults = error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join(".")}: ${message}`,
  );
  return usageError(
    `${parts[part] ?? part}: ${faults.join("; ").slice(0, 400)}`,
    "docs/api.md and GET /v1/openapi.json tell what is expected",
  );
}
