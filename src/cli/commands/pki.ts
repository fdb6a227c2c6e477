import { Command, Option } from "commander";
import { type Role, roles } from "../../daemon/api/api.ts";
import { usageError } from "../../platform/errors.ts";
import { collect } from "../arguments.ts";
import { createOutput } from "../output.ts";

interface IssueOptions {
  address?: string[];
  client?: boolean;
  role?: Role;
  dir: string;
  out?: string;
  json?: boolean;
}

export function pkiCommand(): Command {
  const pki = new Command("pki").description("certificates with which hosts know each other");
  pki
    .command("init")
    .description("make the certificate authority; keep its folder off the hosts")
    .requiredOption("--dir <folder>", "folder of the authority")
    .option("--json", "print JSON, errors too")
    .action(async (options: { dir: string; json?: boolean }) => {
      const { initCertificateAuthority } = await import("../../daemon/pki.ts");
      const made = await initCertificateAuthority(options.dir);
      createOutput(options.json ?? false).result(
        { type: "pki", ca: made.caPath, key: made.keyPath, created: made.isNew },
        () =>
          `certificate authority${made.isNew ? "" : ", there already and kept"}: ${made.caPath} (key: ${made.keyPath})`,
      );
    });
  pki
    .command("issue <name>")
    .description("make the key and certificate of the host NAME, or of a client of the HTTP API")
    .option("--address <ip>", "IPv4 address of the host; may be repeated", collect)
    .option("--client", "NAME is a client: ansible, or whoever calls the API")
    .addOption(
      new Option("--role <role>", "tell how a host gives the client this role").choices(roles),
    )
    .requiredOption("--dir <folder>", "folder of the authority")
    .option(
      "--out <folder>",
      "where ca.crt, host.crt and host.key (or client.…) go (default: in DIR)",
    )
    .option("--json", "print JSON, errors too")
    .action(issue);
  return pki;
}

async function issue(name: string, options: IssueOptions): Promise<void> {
  const { issueHostCertificate, issueClientCertificate } = await import("../../daemon/pki.ts");
  const isClient = options.client ?? false;
  checkCombination(isClient, options);
  const order = { name, ...(options.out === undefined ? {} : { outDir: options.out }) };
  const made = isClient
    ? await issueClientCertificate(options.dir, order)
    : await issueHostCertificate(options.dir, { ...order, addresses: options.address ?? [] });
  const text = [made.caPath, made.certificatePath, made.keyPath];
  if (isClient) text.push("", ...grantLines(name, options.role ?? "read"));
  else if (options.address === undefined) text.push("", ...addresslessLines(name));
  createOutput(options.json ?? false).result(
    { type: "pki", ca: made.caPath, certificate: made.certificatePath, key: made.keyPath },
    () => text.join("\n"),
  );
}

function checkCombination(isClient: boolean, { address, role }: IssueOptions): void {
  if (isClient && address !== undefined) throw usageError("a client has no --address");
  if (!isClient && role !== undefined) throw usageError("a host has no --role", "with --client");
}

function addresslessLines(name: string): string[] {
  return [
    "No --address was given, so callers of the HTTP API by the host's address refuse this certificate;",
    `callers by the name ${name}, and the hosts among themselves, accept it.`,
  ];
}

/** The certificate says who it is; what it may do is each host's word. */
function grantLines(name: string, role: string): string[] {
  return [
    "In sojourn.toml of each host that it may call, where [api] has client_ca with this ca.crt:",
    "[api.clients]",
    `${name} = "${role}"`,
  ];
}
