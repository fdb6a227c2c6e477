import { problemMediaType } from "../problems.ts";
import type { OpenApiDocument, OpenApiOperation, OpenApiResponse } from "./document.ts";

interface ErrorAnswer {
  status: string;
  name: string;
  description: string;
  applies: (operation: OpenApiOperation) => boolean;
}

const always = () => true;
const takesInput = ({ parameters = [], requestBody }: OpenApiOperation) =>
  parameters.length > 0 || requestBody !== undefined;
const hasPathParameter = ({ parameters = [] }: OpenApiOperation) =>
  parameters.some((parameter) => parameter.in === "path");
const hasBody = ({ requestBody }: OpenApiOperation) => requestBody !== undefined;
const changes = (operation: OpenApiOperation) => operation["x-role"] !== "read";

/** Every error that any operation may answer with. */
const answers: readonly ErrorAnswer[] = [
  { status: "400", name: "BadRequest", description: "The request is wrong", applies: takesInput },
  {
    status: "401",
    name: "Unauthenticated",
    description: "No valid token or certificate",
    applies: always,
  },
  {
    status: "403",
    name: "Forbidden",
    description: "The caller's role does not allow it",
    applies: always,
  },
  {
    status: "404",
    name: "NotFound",
    description: "There is no such guest, host or id",
    applies: (operation) => hasPathParameter(operation) || changes(operation),
  },
  {
    status: "409",
    name: "Conflict",
    description: "Something that must hold beforehand does not",
    applies: changes,
  },
  { status: "413", name: "TooLarge", description: "The body is too large", applies: hasBody },
  {
    status: "415",
    name: "UnsupportedMediaType",
    description: "The body must be application/json",
    applies: changes,
  },
  {
    status: "429",
    name: "TooManyRequests",
    description: "Too many requests; `Retry-After` says when",
    applies: always,
  },
  {
    status: "503",
    name: "NotReady",
    description: "The daemon is still starting, or has too many streams open",
    applies: always,
  },
  {
    status: "default",
    name: "Failed",
    description: "Any other failure; `status` and `code` tell which",
    applies: always,
  },
];

/** Gives an operation its error answers, in place. */
export function addErrors(operation: OpenApiOperation): void {
  for (const { status, name, applies } of answers) {
    if (!applies(operation) || status in operation.responses) continue;
    operation.responses[status] = { $ref: `#/components/responses/${name}` };
  }
}

/** Gives the document what the operations' errors refer to, in place. */
export function addErrorComponents(document: OpenApiDocument): void {
  const schema = { $ref: "#/components/schemas/Problem" };
  document.components.responses = Object.fromEntries(
    answers.map(({ name, description }): [string, OpenApiResponse] => [
      name,
      { description, content: { [problemMediaType]: { schema } } },
    ]),
  );
}
