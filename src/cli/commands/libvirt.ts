import { Argument, Command } from "commander";
import type { LibvirtHookAnswer, LibvirtHookRequest } from "../../client/index.ts";
import { createOutput } from "../output.ts";

interface InstallOptions {
  remove?: boolean;
  program?: string;
  json?: boolean;
}

/** Describes 1 MiB; what is longer is none that Sojourn would read. */
const longestDescriptionBytes = 1024 * 1024;

/** A daemon that does not answer this soon is not waited for: libvirt waits meanwhile. */
const silenceMs = 1_000;

/** Preparing a guest's network, with the proof that packets come through, takes a few seconds. */
const longestAnswerMs = 30_000;

export function libvirtCommand(): Command {
  const libvirt = new Command("libvirt").description("migrations that libvirt's own tools start");
  libvirt
    .command("install-hooks")
    .description("have libvirt tell Sojourn what it is about to do with guests")
    .option("--remove", "take the hook away")
    .option("--program <path>", "absolute path of sojourn, as libvirt is to call it")
    .option("--json", "print JSON, errors too")
    .action(async ({ remove = false, program, json = false }: InstallOptions) => {
      const { installHook, removeHook } = await import("../libvirt-hooks/install.ts");
      const { hookScript } = await import("../libvirt-hooks/script.ts");
      const { hookSocket, programPath } = await import("../libvirt-hooks/program.ts");
      const socket = hookSocket(process.env.SOJOURN_SOCKET);
      const change = remove ? removeHook() : installHook(hookScript(programPath(program), socket));
      const reload = change.reload_needed
        ? "\nlibvirt sees it once it is reloaded: systemctl reload libvirtd (or virtqemud)"
        : "";
      createOutput(json).result(change, () => `${change.path}: ${change.done}${reload}`);
    });
  libvirt
    .command("hook", { hidden: true })
    .description("what libvirt's hook calls, with the domain's XML as its input")
    .addArgument(new Argument("<operation>").choices(["migrate", "prepare"]))
    .argument("<domain>")
    .action(async (operation: LibvirtHookRequest["operation"], domain: string) => {
      const { refusalStatus } = await import("../libvirt-hooks/script.ts");
      const answer = await ask(operation, domain).catch(() => null);
      if (answer === null) return;
      if (answer.verdict === "refuse") {
        process.stderr.write(`sojourn: ${answer.reason}\n`);
        process.exitCode = refusalStatus;
      } else if (answer.description !== null) process.stdout.write(answer.description);
    });
  return libvirt;
}

/** Null for what is none of Sojourn's business. @throws SojournError when the daemon does not answer */
async function ask(
  operation: LibvirtHookRequest["operation"],
  domain: string,
): Promise<LibvirtHookAnswer | null> {
  const description = await readInput();
  if (description === null) return null;
  const { createClient } = await import("../../client/index.ts");
  await createClient({ timeoutMs: silenceMs }).health();
  const client = createClient({ timeoutMs: longestAnswerMs });
  return await client.answerLibvirtHook({ operation, domain, description });
}

async function readInput(): Promise<string | null> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of process.stdin) {
    parts.push(part as Buffer);
    length += (part as Buffer).length;
    if (length > longestDescriptionBytes) return null;
  }
  return length === 0 ? null : Buffer.concat(parts).toString("utf8");
}
