import { Command } from "commander";
import type { DecodedJournal } from "../../migrator/journal-format.ts";
import { createOutput } from "../output.ts";
import { formatTable } from "../table.ts";

export function journalCommand(): Command {
  const journal = new Command("journal").description("what this host has promised in writing");
  journal
    .command("show")
    .description("print the journal; needs no daemon and changes nothing")
    .option("--file <file>", "the journal", "/var/lib/sojourn/journal")
    .option("--json", "print JSON, errors too")
    .action(async (options: { file: string; json?: boolean }) => {
      const { readJournal } = await import("../../migrator/journal-file.ts");
      const { diskStorage } = await import("../../platform/storage.ts");
      const decoded = readJournal(options.file, diskStorage);
      const value = {
        type: "journal",
        file: options.file,
        records: decoded.records,
        torn_bytes: decoded.tornBytes,
        damage: decoded.damage.map(({ reason, atByte, lengthBytes }) => ({
          reason,
          at_byte: atByte,
          length_bytes: lengthBytes,
        })),
      };
      createOutput(options.json ?? false).result(value, () => describeJournal(decoded));
    });
  return journal;
}

/** A table of the records in the order of writing, and what is wrong with the file. */
function describeJournal({ records, tornBytes, damage }: DecodedJournal): string {
  const rows = records.map((record) => [
    record.at,
    record.role,
    record.step,
    record.guest,
    record.migration,
    String(record.epoch),
  ]);
  const header = ["TIME", "ROLE", "STEP", "GUEST", "MIGRATION", "EPOCH"];
  const lines = [formatTable(header, rows)];
  for (const { reason, atByte, lengthBytes } of damage) {
    lines.push(`damage: ${reason.replaceAll("-", " ")} at byte ${atByte}, ${lengthBytes} bytes`);
  }
  if (tornBytes > 0) lines.push(`torn: ${tornBytes} bytes at the end are no whole record`);
  return lines.join("\n");
}
