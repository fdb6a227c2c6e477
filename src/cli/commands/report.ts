import { resolve } from "node:path";
import { Command } from "commander";
import { SojournError } from "../../platform/errors.ts";
import { createOutput } from "../output.ts";

interface ReportOptions {
  json?: boolean;
  html?: string;
}

export function reportCommand(): Command {
  return new Command("report")
    .description("the report of a migration that has ended")
    .argument("<id>", "migration")
    .option("--html <file>", "write it as one self-contained page; - prints that instead")
    .option("--json", "print JSON, errors too")
    .action(printStoredReport);
}

async function printStoredReport(id: string, options: ReportOptions): Promise<void> {
  const { createClient } = await import("../../client/index.ts");
  const client = createClient();
  const report = await client.getReport(id);
  if (options.html !== undefined) {
    const { migrationPage } = await import("../../bench/html/migration-page.ts");
    const page = migrationPage(report, await client.getThroughput(id));
    if (options.html === "-") {
      process.stdout.write(page);
      return;
    }
    await writePage(resolve(options.html), page);
  }
  const { describeReport } = await import("../print-report.ts");
  createOutput(options.json ?? false).result(report, () => describeReport(report));
}

/** @throws SojournError `SOJ_WRITE_FAILED`. */
async function writePage(path: string, page: string): Promise<void> {
  const { replaceFileDurably } = await import("../../platform/files.ts");
  try {
    replaceFileDurably(path, page, 0o644);
  } catch (cause) {
    throw new SojournError("SOJ_WRITE_FAILED", `${path}: ${(cause as Error).message}`, { cause });
  }
}
