import { z } from "zod";
import { configSchema } from "../../../src/daemon/config-schema.ts";
import { guestDefinitionSchema } from "../../../src/hypervisor/definition.ts";

/** The part of JSON Schema that the configuration's schemas come out as. */
interface Schema {
  type?: string | string[];
  description?: string;
  default?: unknown;
  enum?: readonly string[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema | boolean;
  minimum?: number;
  maximum?: number;
  anyOf?: Schema[];
}

/** A key of a configuration file. */
export interface Key {
  /** Path as in `[section]` or `[[section]]`; empty at the file's top. */
  section: string;
  name: string;
  kind: string;
  isRequired: boolean;
  /** As TOML; null when there is none. */
  fallback: string | null;
  /** Null when the schema has none, which is a fault. */
  description: string | null;
}

/** Every key of sojourn.toml. */
export const daemonKeys = () => keysOf(jsonSchema(configSchema), "");

/** Every key of a guest's file. */
export const guestKeys = () => keysOf(jsonSchema(guestDefinitionSchema), "");

/** docs/configuration.md. */
export function configurationDocument(): string {
  return [
    introduction,
    "# sojourn.toml\n",
    tables(daemonKeys()),
    `# A guest's file\n\n${guestIntroduction}`,
    tables(guestKeys()),
  ].join("\n");
}

function tables(keys: readonly Key[]): string {
  const sections = Map.groupBy(keys, ({ section }) => section);
  const parts = [...sections].map(([section, members]) => {
    const title = section === "" ? "" : `## \`${section}\`\n\n`;
    return `${title}| key | what | default | |\n|---|---|---|---|\n${members.map(row).join("\n")}\n`;
  });
  return parts.join("\n");
}

function row({ name, kind, isRequired, fallback, description }: Key): string {
  const given = isRequired ? "needed" : fallback === null ? "" : `\`${fallback}\``;
  return `| \`${name}\` | ${kind} | ${given} | ${sentence(description ?? "")} |`;
}

function sentence(text: string): string {
  const escaped = text.replaceAll("|", "\\|");
  return escaped.charAt(0).toUpperCase() + escaped.slice(1);
}

function jsonSchema(schema: z.ZodType): Schema {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Schema;
}

function keysOf({ properties = {}, required = [] }: Schema, section: string): Key[] {
  const here: Key[] = [];
  const below: Key[] = [];
  for (const [name, value] of Object.entries(properties)) {
    const path = section === "" ? name : `${section.replace(/^\[+|\]+$/g, "")}.${name}`;
    const entries = value.items ?? value;
    const named =
      typeof value.additionalProperties === "object" ? value.additionalProperties : null;
    if (entries.properties !== undefined) {
      below.push(...keysOf(entries, value.items === undefined ? `[${path}]` : `[[${path}]]`));
    } else if (named?.properties !== undefined) {
      below.push(...keysOf(named, `[${path}.NAME]`));
    } else if (named !== null) {
      below.push({
        ...keyOf("NAME", named),
        section: `[${path}]`,
        description: value.description ?? null,
      });
    } else here.push({ ...keyOf(name, value), section, isRequired: required.includes(name) });
  }
  return [...here, ...below];
}

function keyOf(name: string, schema: Schema): Omit<Key, "section"> {
  return {
    ...{ name, kind: kindOf(schema), isRequired: false },
    fallback: schema.default === undefined ? null : JSON.stringify(schema.default),
    description: schema.description ?? null,
  };
}

function kindOf({ type, enum: words, items, minimum, maximum, anyOf }: Schema): string {
  if (words !== undefined && words.length > mostListed) return "text";
  if (words !== undefined) return words.map((word) => `\`${word}\``).join(", ");
  if (items !== undefined) return `list of ${kindOf(items).replace(/^text$/, "texts")}`;
  if (anyOf !== undefined) return anyOf.map(kindOf).join(" or ");
  if (type === "integer" || type === "number") return `${minimum ?? ""}…${maximum ?? ""}`;
  return type === "boolean" ? "true, false" : "text";
}

/** Longer lists of words are told in the description. */
const mostListed = 8;

const introduction = `# Every configuration key

Made by \`scripts/reference\` from the schemas that the files are checked with. Unknown keys are refused, with file and
line; a daemon whose file is wrong does not start (exit code 2). An annotated example of each file is in
[deploy/](../deploy). Changes count from the daemon's next start, which no guest notices; certificates, tokens and
\`[api.clients]\` count without one.
`;

const guestIntroduction = `\`NAME.toml\` in the folder that \`[paths] guests\` names, on the guest's home host alone; a move takes it along.
`;
