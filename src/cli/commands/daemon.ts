import { Command } from "commander";

export function daemonCommand(): Command {
  return new Command("daemon")
    .description("run this host's daemon in the foreground")
    .option("--config <file>", "configuration", "/etc/sojourn/sojourn.toml")
    .option("--json", "report an error as JSON")
    .action(async (options: { config: string }) => {
      const { runDaemon } = await import("../../daemon/main.ts");
      await runDaemon(options.config);
      // Everything is closed; a socket or timer that somebody forgot must not keep the process.
      process.exit(0);
    });
}
