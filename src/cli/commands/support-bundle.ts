import { hostname } from "node:os";
import { Command } from "commander";
import { wallClockMs } from "../../platform/clock.ts";
import { createOutput } from "../output.ts";
import { formatTable } from "../table.ts";

interface BundleCommandOptions {
  config: string;
  out?: string;
  redactAddresses?: boolean;
  json?: boolean;
}

export function supportBundleCommand(): Command {
  return new Command("support-bundle")
    .description(
      "write an archive for whoever helps: what is known of this host's Sojourn, without secrets",
    )
    .option("--out <file>", "where to (default: sojourn-support-HOST-TIME.tar.gz)")
    .option("--redact-addresses", "give IP and MAC addresses other names, the same throughout")
    .option("--config <file>", "configuration", "/etc/sojourn/sojourn.toml")
    .option("--json", "print JSON, errors too")
    .action(async (options: BundleCommandOptions) => {
      const { writeBundle } = await import("../../daemon/bundle/bundle.ts");
      const { path, bytes, manifest } = await writeBundle({
        configPath: options.config,
        outPath: options.out ?? defaultName(),
        redactAddresses: options.redactAddresses ?? false,
      });
      const rows = manifest.files.map(({ name, bytes: size, error, about }) => [
        ...[name, String(size), error === null ? about : `missing: ${error}`],
      ]);
      const text = () =>
        `${formatTable(["FILE", "BYTES", "ABOUT"], rows)}\n${path} (${bytes} bytes): look through it before you send it`;
      createOutput(options.json ?? false).result(
        { type: "support-bundle", path, bytes, manifest },
        text,
      );
    });
}

function defaultName(): string {
  const time = new Date(wallClockMs()).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  return `sojourn-support-${hostname().replaceAll(/[^A-Za-z0-9.-]/g, "_")}-${time}.tar.gz`;
}
