import { Command } from "commander";
import { collect } from "../arguments.ts";
import { createOutput } from "../output.ts";

interface IssueOptions {
  address?: string[];
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
    .option("--json")
    .action(async (options: { dir: string; json?: boolean }) => {
      const { initCertificateAuthority } = await import("../../daemon/pki.ts");
      const made = await initCertificateAuthority(options.dir);
      createOutput(options.json ?? false).result(
        { type: "pki", ca: made.caPath, key: made.keyPath },
        () => `certificate authority: ${made.caPath} (key: ${made.keyPath})`,
      );
    });
  pki
    .command("issue <name>")
    .description("make the key and certificate of the host NAME")
    .option("--address <ip>", "IPv4 address of the host; may be repeated", collect)
    .requiredOption("--dir <folder>", "folder of the authority")
    .option("--out <folder>", "where ca.crt, host.crt and host.key go (default: DIR/hosts/NAME)")
    .option("--json")
    .action(issue);
  return pki;
}

async function issue(name: string, options: IssueOptions): Promise<void> {
  const { issueHostCertificate } = await import("../../daemon/pki.ts");
  const made = await issueHostCertificate(options.dir, {
    name,
    addresses: options.address ?? [],
    ...(options.out === undefined ? {} : { outDir: options.out }),
  });
  createOutput(options.json ?? false).result(
    { type: "pki", ca: made.caPath, certificate: made.certificatePath, key: made.keyPath },
    () => `${made.caPath}\n${made.certificatePath}\n${made.keyPath}`,
  );
}
