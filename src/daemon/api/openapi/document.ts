import { addErrorComponents, addErrors } from "./errors.ts";
import { examplesOf } from "./examples.ts";
import { refsIn, renameRefs, stripClosed } from "./schemas.ts";

export type JsonSchema = { [keyword: string]: unknown };

export interface MediaType {
  schema?: JsonSchema;
  example?: unknown;
}

export interface OpenApiResponse {
  description?: string;
  content?: Record<string, MediaType>;
  headers?: Record<string, { description: string; schema: JsonSchema }>;
  $ref?: string;
}

export interface OpenApiOperation {
  operationId?: string;
  parameters?: { name: string; in: string; schema: JsonSchema; required?: boolean }[];
  requestBody?: { required?: boolean; content: Record<string, MediaType> };
  responses: Record<string, OpenApiResponse>;
  "x-role"?: string;
}

/** As much of an OpenAPI document as is worked with. */
export interface OpenApiDocument {
  openapi: string;
  paths: Record<string, Record<string, OpenApiOperation>>;
  components: {
    schemas: Record<string, JsonSchema>;
    responses?: Record<string, OpenApiResponse>;
    [other: string]: unknown;
  };
}

/** Makes what the routes' schemas give into a document that reads well: errors, examples, no unused schemas. Pure. */
export function finishDocument(document: OpenApiDocument): OpenApiDocument {
  const finished = structuredClone(document);
  openAnswers(finished);
  for (const operation of operationsOf(finished)) addErrors(operation);
  addErrorComponents(finished);
  for (const operation of operationsOf(finished)) describeAnswers(operation);
  keepUsedSchemas(finished);
  for (const media of mediaOf(finished)) examplesOf(media, finished.components.schemas);
  return finished;
}

export function operationsOf({ paths }: OpenApiDocument): OpenApiOperation[] {
  return Object.values(paths).flatMap((methods) => Object.values(methods));
}

function mediaOf(document: OpenApiDocument): MediaType[] {
  return operationsOf(document).flatMap(({ requestBody, responses }) => [
    ...Object.values(requestBody?.content ?? {}),
    ...Object.values(responses).flatMap(({ content }) => Object.values(content ?? {})),
  ]);
}

/** What the routes' schemas do not say of their answers. */
function describeAnswers({ parameters = [], responses }: OpenApiOperation): void {
  const link = 'The next page, `rel="next"` (RFC 8288); absent on the last';
  for (const [status, response] of Object.entries(responses)) {
    if (response.description === "Default Response") response.description = "Done";
    const headers = {
      ...(status === "201" ? { Location: "Where the new resource is" } : {}),
      ...(parameters.some(({ name }) => name === "cursor") && status === "200"
        ? { Link: link }
        : {}),
    };
    if (Object.keys(headers).length === 0) continue;
    response.headers = Object.fromEntries(
      Object.entries(headers).map(([name, description]) => [
        name,
        { description, schema: { type: "string" } },
      ]),
    );
  }
}

/** Answers may gain members: only what comes in is closed. */
function openAnswers(document: OpenApiDocument): void {
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    if (!name.endsWith("Input")) stripClosed(schema);
  }
  for (const { responses } of operationsOf(document)) {
    for (const { content } of Object.values(responses)) {
      for (const { schema } of Object.values(content ?? {})) if (schema) stripClosed(schema);
    }
  }
}

/** Each schema exists for requests (`…Input`) and for answers; one that is used for one of them keeps the bare name. */
function keepUsedSchemas(document: OpenApiDocument): void {
  const { schemas } = document.components;
  const used = new Set<string>();
  const visit = (value: unknown) => {
    for (const name of refsIn(value)) {
      if (used.has(name)) continue;
      used.add(name);
      visit(schemas[name]);
    }
  };
  visit([document.paths, document.components.responses]);
  const names = new Map(
    [...used].map((name) => {
      const bare = name.replace(/Input$/, "");
      return [name, used.has(bare) ? name : bare] as const;
    }),
  );
  const kept = [...used]
    .toSorted()
    .map((name) => [names.get(name) ?? name, schemas[name]] as const);
  document.components.schemas = Object.fromEntries(kept) as Record<string, JsonSchema>;
  renameRefs(document, names);
}
