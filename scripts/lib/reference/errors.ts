import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { z } from "zod";
import { type ErrorSite, errorSites } from "./error-sites.ts";

const facts = z.strictObject({ exit: z.exactOptional(z.int()), http: z.exactOptional(z.int()) });
const sentence = z.union([
  z.tuple([z.string(), z.string()]),
  z.tuple([z.string(), z.string(), facts]),
]);
const area = z.object({ title: z.string() }).catchall(z.union([z.string(), sentence]));
const sentencesSchema = z.record(z.string(), area);

type Sentence = z.output<typeof sentence>;

interface Area {
  title: string;
  sentences: Map<string, Sentence>;
}

const sources = join(import.meta.dirname, "..", "..", "..", "src");

/** What each code means, by area. */
export function errorAreas(): Area[] {
  const text = readFileSync(join(import.meta.dirname, "error-sentences.toml"), "utf8");
  return Object.values(sentencesSchema.parse(parse(text))).map(({ title, ...rest }) => ({
    title,
    sentences: new Map(Object.entries(rest).map(([code, said]) => [code, sentence.parse(said)])),
  }));
}

/** Codes that the sources use. */
export function usedCodes(): Map<string, ErrorSite[]> {
  return Map.groupBy(errorSites(sources), ({ code }) => code);
}

/** docs/errors.md. @throws Error for a code without a sentence. */
export function errorsDocument(): string {
  const used = usedCodes();
  const parts = errorAreas().map(({ title, sentences }) => {
    const rows = [...sentences].map(([code, said]) => rowOf(code, said, used.get(code) ?? []));
    return `## ${title}\n\n${tableHead}\n${rows.join("\n")}\n`;
  });
  return `${introduction}\n${parts.join("\n")}`;
}

function rowOf(code: string, [means, todo, told = {}]: Sentence, sites: ErrorSite[]): string {
  const made = sites.filter(({ exitCode }) => exitCode !== null);
  const exits = told.exit === undefined ? made.map(({ exitCode }) => exitCode) : [told.exit];
  const statuses = told.http === undefined ? made.map(({ httpStatus }) => httpStatus) : [told.http];
  const retryable = new Set(made.map((site) => site.retryable));
  const again = retryable.size > 1 ? "depends" : ([...retryable][0] ?? "no");
  return `| \`${code}\` | ${list(exits)} | ${list(statuses) || "–"} | ${again} | ${means} | ${todo} |`;
}

function list(values: readonly (number | null)[]): string {
  return [...new Set(values)].toSorted((one, other) => Number(one) - Number(other)).join(", ");
}

const tableHead = `| code | exit | HTTP | again | what it means | what to do |
|---|---|---|---|---|---|`;

const introduction = `# Every error code

Made by \`scripts/reference\` from the sources. Codes are stable: programs may rely on them, and on nothing in the text
beside them. An error comes with a message (what happened, and in which state things are), a hint (what to do), and what
is known of the guest: as the last line of a command with \`--json\`, as a problem over HTTP ([api.md](api.md)), in the
report or the last event of a migration that failed, and in the daemon's log.

*exit* is what a command ends with, *HTTP* the status of the answer; several where it depends on the place, none where
the code is only told in reports. An error that ends a migration under way is told with the migration's own exit code: 4
rolled back, 5 in doubt, 6 cancelled, 9 guest lost. *again* tells whether the same may succeed later (\`retryable\`).
`;
