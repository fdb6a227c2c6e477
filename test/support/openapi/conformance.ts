import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { EventParser } from "../../../src/client/event-parser.ts";
import type {
  JsonSchema,
  OpenApiDocument,
  OpenApiOperation,
  OpenApiResponse,
} from "../../../src/daemon/api/openapi/document.ts";

export interface Answer {
  status: number;
  type: string;
  allow: string | undefined;
  text: string;
}

/** Holds answers against a document. Answers may gain members one day; here every one must be documented. */
export class Conformance {
  readonly #document: OpenApiDocument;
  readonly #ajv: Ajv2020;
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor(document: OpenApiDocument) {
    this.#document = structuredClone(document);
    closeObjects(this.#document.components.schemas);
    this.#ajv = new Ajv2020({ strict: false, allErrors: false, formats: { ipv4: true } });
    this.#ajv.addSchema({ $id: "doc", components: this.#document.components });
  }

  /** What is wrong with the answer to a request for `operation`, or for none; empty when nothing is. */
  faultsOf(operation: OpenApiOperation | null, answer: Answer): string[] {
    if (answer.status >= 500) return [`status ${answer.status}: ${answer.text.slice(0, 300)}`];
    if (operation === null) return this.#strayFaults(answer);
    const { responses } = operation;
    const isDocumented = answer.status in responses;
    if (answer.status < 300 && !isDocumented) return [`${answer.status} is not documented`];
    const documented = this.#resolve(responses[answer.status] ?? responses.default);
    const { content = {} } = documented;
    const [type = ""] = answer.type.split(";");
    if (answer.status === 204) return answer.text === "" ? [] : ["a body with 204"];
    const media = content[type];
    if (media?.schema === undefined) return [`${answer.status} ${answer.type} is not documented`];
    if (type === "text/event-stream") return this.#streamFaults(media.schema, answer.text);
    const value = type.endsWith("json") ? JSON.parse(answer.text) : answer.text;
    return this.#valueFaults(media.schema, value);
  }

  /** Whether a body is of the operation's schema. */
  isBodyValid({ requestBody }: OpenApiOperation, body: unknown): boolean {
    const schema = requestBody?.content["application/json"]?.schema;
    return schema === undefined || this.#valueFaults(schema, body).length === 0;
  }

  #strayFaults({ status, type, text, allow }: Answer): string[] {
    if (text === "" && status !== 405) return [];
    if (status < 400) return [];
    if (status === 405 && !allow) return ["405 without Allow"];
    if (!type.startsWith("application/problem+json"))
      return text === "" ? [] : [`${status} ${type}`];
    return text === ""
      ? []
      : this.#valueFaults({ $ref: "#/components/schemas/Problem" }, JSON.parse(text));
  }

  #streamFaults(schema: JsonSchema, text: string): string[] {
    return new EventParser().push(text).flatMap(({ event, data }) => {
      const value = JSON.parse(data);
      const type = value.type ?? value.event?.type;
      const faults = this.#valueFaults(schema, value);
      return type === event ? faults : [`event ${event} with type ${type}`, ...faults];
    });
  }

  #valueFaults(schema: JsonSchema, value: unknown): string[] {
    const key = JSON.stringify(schema);
    const validate = this.#compiled.get(key) ?? this.#compile(schema);
    this.#compiled.set(key, validate);
    if (validate(value)) return [];
    return [`${this.#ajv.errorsText(validate.errors)}: ${JSON.stringify(value).slice(0, 600)}`];
  }

  #compile(schema: JsonSchema): ValidateFunction {
    const own = JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"doc#/components'));
    closeObjects(own);
    return this.#ajv.compile(own);
  }

  #resolve(response: OpenApiResponse | undefined): OpenApiResponse {
    const name = response?.$ref?.split("/").at(-1);
    return (name === undefined ? response : this.#document.components.responses?.[name]) ?? {};
  }
}

function closeObjects(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  const schema = value as JsonSchema;
  if (typeof schema.properties === "object" && schema.type === "object") {
    schema.additionalProperties ??= false;
  }
  for (const child of Object.values(value)) closeObjects(child);
}
