import { Command, InvalidArgumentError, Option } from "commander";
import type { TokenEntry } from "../../daemon/access/tokens.ts";
import { type Role, roles } from "../../daemon/api/api.ts";
import { wallClockMs } from "../../platform/clock.ts";
import { preconditionError } from "../../platform/errors.ts";
import { checkName } from "../../platform/names.ts";
import { createOutput } from "../output.ts";
import { formatTable } from "../table.ts";

interface TokenOptions {
  config: string;
  file?: string;
  json?: boolean;
}

interface CreateOptions extends TokenOptions {
  role: Role;
  expires?: Date;
}

export function tokenCommand(): Command {
  const token = new Command("token").description("bearer tokens for the HTTP API of this host");
  withFile(token.command("create <name>"))
    .description(
      "make one and print it, once: only a hash of it is kept; the daemon knows it within a second",
    )
    .addOption(new Option("--role <role>", "what it allows").choices(roles).makeOptionMandatory())
    .option("--expires <when>", "after 90d or 12h, or at 2031-01-31 (default: never)", parseExpiry)
    .action(create);
  withFile(token.command("ls")).description("list them").action(list);
  withFile(token.command("revoke <name>"))
    .description("end one; the daemon notices within seconds and cuts off its event streams")
    .action(revoke);
  return token;
}

async function create(name: string, options: CreateOptions): Promise<void> {
  const { newToken, hashToken } = await import("../../daemon/access/tokens.ts");
  const { changeTokensFile } = await import("../../daemon/access/tokens-file.ts");
  checkName("token", name);
  const path = await tokensPath(options);
  const made = newToken();
  const entry: TokenEntry = {
    name,
    role: options.role,
    sha256: hashToken(made),
    created: new Date(wallClockMs()).toISOString(),
    expires: options.expires?.toISOString() ?? null,
  };
  await changeTokensFile(path, (tokens) => {
    if (tokens.some((known) => known.name === name)) throw nameTaken(name);
    return [...tokens, entry];
  });
  const { role, expires } = entry;
  createOutput(options.json ?? false).result(
    { type: "token", name, role, expires, token: made },
    () => made,
  );
}

async function list(options: TokenOptions): Promise<void> {
  const { readTokensFile } = await import("../../daemon/access/tokens-file.ts");
  const tokens = await readTokensFile(await tokensPath(options));
  const shown = tokens.map(({ name, role, created, expires }) => ({
    name,
    role,
    created,
    expires,
  }));
  createOutput(options.json ?? false).result(shown, () =>
    formatTable(
      ["NAME", "ROLE", "CREATED", "EXPIRES"],
      shown.map((one) => [one.name, one.role, one.created, one.expires ?? "never"]),
    ),
  );
}

async function revoke(name: string, options: TokenOptions): Promise<void> {
  const { changeTokensFile } = await import("../../daemon/access/tokens-file.ts");
  await changeTokensFile(await tokensPath(options), (tokens) => {
    const kept = tokens.filter((known) => known.name !== name);
    if (kept.length === tokens.length) throw unknownToken(name);
    return kept;
  });
  createOutput(options.json ?? false).result(
    { type: "token", name, revoked: true },
    () => `${name} is not accepted any more`,
  );
}

function withFile(command: Command): Command {
  return command
    .option("--config <file>", "configuration that names the file", "/etc/sojourn/sojourn.toml")
    .option("--file <file>", "the tokens' file itself, of another host or for later")
    .option("--json", "print JSON, errors too");
}

async function tokensPath({ file, config }: TokenOptions): Promise<string> {
  if (file !== undefined) return file;
  const { loadConfig } = await import("../../daemon/config.ts");
  return (await loadConfig(config)).api.tokensPath;
}

const unitsMs: Record<string, number> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 };

/** Reads `90d`, `12h` or a date of ISO 8601, for commander. */
function parseExpiry(text: string): Date {
  const [, count, unit = ""] = /^(\d{1,6})([dhms])$/.exec(text) ?? [];
  const nowMs = wallClockMs();
  const atMs = count === undefined ? dateMs(text) : nowMs + Number(count) * (unitsMs[unit] ?? 0);
  if (atMs > nowMs && atMs < Date.UTC(10_000, 0)) return new Date(atMs);
  throw new InvalidArgumentError("Expected 90d, 12h or a date to come, such as 2031-01-31.");
}

function dateMs(text: string): number {
  return /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?Z)?$/.test(text) ? Date.parse(text) : Number.NaN;
}

function nameTaken(name: string) {
  return preconditionError("SOJ_TOKEN_EXISTS", `there is a token ${name} already`, {
    hint: `another name, or first: sojourn token revoke ${name}`,
  });
}

function unknownToken(name: string) {
  return preconditionError("SOJ_TOKEN_UNKNOWN", `there is no token ${name.slice(0, 80)}`, {
    httpStatus: 404,
    hint: "sojourn token ls",
  });
}
