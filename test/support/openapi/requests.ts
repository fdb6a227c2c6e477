import fc from "fast-check";
import type {
  OpenApiDocument,
  OpenApiOperation,
} from "../../../src/daemon/api/openapi/document.ts";
import { type KnownValues, type Schemas, valuesNamed, valuesOf } from "./arbitraries.ts";
import { oddBodies, oddHeaders, oddTexts } from "./odd-values.ts";

/** A request, and the operation that it is meant for, if any. */
export interface GeneratedRequest {
  operationId: string | null;
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | null;
  /** Every part is of its schema. */
  isValid: boolean;
}

/** Requests of all kinds to a document's operations, and some to none of them. */
export function requestsTo(
  document: OpenApiDocument,
  knownOf: (path: string) => KnownValues,
): fc.Arbitrary<GeneratedRequest> {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  return fc.oneof(
    {
      weight: 12,
      arbitrary: fc
        .constantFrom(...operations)
        .chain(({ path, method, operation }) =>
          requestTo(path, method, operation, document.components.schemas, knownOf(path)),
        ),
    },
    { weight: 1, arbitrary: strayRequests(Object.keys(document.paths)) },
  );
}

function requestTo(
  template: string,
  method: string,
  operation: OpenApiOperation,
  schemas: Schemas,
  known: KnownValues,
): fc.Arbitrary<GeneratedRequest> {
  const { parameters = [], requestBody } = operation;
  const drawn = parameters.map((parameter) => {
    const good = valuesNamed(parameter.name, parameter.schema, schemas, known);
    const present = parameter.required ? fc.constant(true) : fc.boolean();
    const value = withFaults(good, oddTexts);
    return fc.record({ parameter: fc.constant(parameter), present, value });
  });
  const schema = requestBody?.content["application/json"]?.schema;
  const body =
    schema === undefined
      ? withFaults(fc.constant(null), fc.constantFrom("{}", "x", ""))
      : bodiesOf(valuesOf(schema, schemas, known));
  return fc
    .record({ parts: fc.tuple(...drawn), body, headers: withFaults(fc.constant({}), oddHeaders) })
    .map(({ parts, body, headers }) => {
      let path = template;
      const query = new URLSearchParams();
      const sent: Record<string, string> = {};
      let isValid = body.isGood && headers.isGood;
      for (const { parameter, present, value } of parts) {
        if (!present) continue;
        const texts = [value.value].flat().map(textOf);
        isValid &&= value.isGood;
        if (parameter.in === "path")
          path = path.replace(`{${parameter.name}}`, segmentOf(texts[0] ?? ""));
        else if (parameter.in === "query")
          for (const text of texts) query.append(parameter.name, text);
        else sent[parameter.name] = headerTextOf(texts[0] ?? "");
      }
      const text = body.value === null ? null : textOf(body.value);
      return {
        operationId: operation.operationId ?? null,
        method: method.toUpperCase(),
        path: query.size === 0 ? path : `${path}?${query}`,
        headers: {
          ...(text === null ? {} : { "content-type": "application/json" }),
          ...sent,
          ...headers.value,
        },
        body: text,
        isValid,
      };
    });
}

interface Drawn<Value> {
  isGood: boolean;
  value: Value;
}

/** Mostly what is right, now and then what is not. */
function withFaults<Good, Bad>(
  good: fc.Arbitrary<Good>,
  bad: fc.Arbitrary<Bad>,
): fc.Arbitrary<Drawn<Good | Bad>> {
  return fc.oneof(
    { weight: 9, arbitrary: good.map((value): Drawn<Good | Bad> => ({ isGood: true, value })) },
    { weight: 1, arbitrary: bad.map((value): Drawn<Good | Bad> => ({ isGood: false, value })) },
  );
}

/** JSON of the schema; of it with one member changed, dropped or added; broken; deep; large; of another kind. */
function bodiesOf(values: fc.Arbitrary<unknown>): fc.Arbitrary<Drawn<string>> {
  const text = values.map((value) => JSON.stringify(value));
  const changed = fc
    .tuple(values, fc.string({ maxLength: 12 }), fc.jsonValue({ maxDepth: 2 }), fc.nat())
    .map(([value, key, odd, at]) => {
      const members = Object.entries(value as object);
      const chosen = members.length === 0 ? key : (members[at % members.length]?.[0] ?? key);
      const which = at % 3 === 0 ? key : chosen;
      return JSON.stringify({ ...(value as object), [which]: at % 5 === 0 ? undefined : odd });
    });
  const broken = fc
    .tuple(text, fc.nat(), fc.constantFrom("", "}", "\u0000", "\\", '"'))
    .map(([whole, at, junk]) => {
      const cut = at % (whole.length + 1);
      return whole.slice(0, cut) + junk + whole.slice(cut + 1);
    });
  return fc.oneof(
    { weight: 6, arbitrary: text.map((value) => ({ isGood: true, value })) },
    { weight: 3, arbitrary: changed.map((value) => ({ isGood: false, value })) },
    { weight: 1, arbitrary: broken.map((value) => ({ isGood: false, value })) },
    { weight: 1, arbitrary: oddBodies.map((value) => ({ isGood: false, value })) },
  );
}

/** Paths that are none, and methods that paths do not have. */
function strayRequests(paths: readonly string[]): fc.Arbitrary<GeneratedRequest> {
  const segments = fc.array(
    fc.oneof(
      fc.constantFrom("v1", "v2", "migrations", "guests", "..", "docs", "static", ""),
      oddTexts.map(textOf),
    ),
    { maxLength: 6 },
  );
  const path = fc.oneof(
    segments.map((all) => `/${all.map(segmentOf).join("/")}`),
    fc
      .tuple(
        fc.constantFrom(...paths),
        fc.constantFrom("", "/", "//", "/x", "?", "#", ";x", "%2f", "/.."),
      )
      .map(([known, end]) => `${known.replace(/\{\w+\}/g, "m1")}${end}`),
  );
  const method = fc.constantFrom(
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "PROPFIND",
  );
  return fc.record({ path, method }).map(({ path, method }) => ({
    ...{ operationId: null, method, path, headers: {}, body: null, isValid: false },
  }));
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Encoded once, or, for what is encoded already, not again; what node:http itself would not send is replaced. */
function segmentOf(text: string): string {
  if (/^[%.\w-]{1,40}$/.test(text)) return text;
  return encodeURIComponent(text.toWellFormed());
}

function headerTextOf(text: string): string {
  return text.replace(/[^\t\x20-\x7e\x80-\xff]/g, "?");
}
