import type { Command } from "commander";
import { environmentVariables } from "../client/environment.ts";
import { usageError } from "../platform/errors.ts";

type Given = Partial<Record<keyof typeof environmentVariables, string>>;

const options: Record<keyof Given, [flag: string, value: string, description: string]> = {
  host: ["--host", "url", "another host's daemon, https://HOST:PORT"],
  tokenFile: ["--token-file", "file", "with the bearer token for it"],
  caFile: ["--ca-file", "file", "authority of its certificate"],
  certFile: ["--cert-file", "file", "client certificate, in place of a token"],
  keyFile: ["--key-file", "file", "and its key"],
};

/** They are about this machine, whatever daemon runs elsewhere. */
const localCommands = new Set([
  ...["daemon", "doctor", "journal", "lab", "libvirt", "pki", "probe", "support-bundle", "token"],
]);

/**
 * Adds the options that lead to another host's daemon. They become variables of the environment, so that programs that
 * a command starts go to the same one.
 */
export function addRemoteOptions(program: Command): void {
  for (const [name, [flag, value, description]] of Object.entries(options)) {
    const variable = environmentVariables[name as keyof Given];
    program.option(`${flag} <${value}>`, `${description} (or ${variable})`);
  }
  program.hook("preAction", (_program, command) => {
    const given = program.opts<Given>();
    const name = topLevelName(program, command);
    if (given.host !== undefined && localCommands.has(name)) {
      throw usageError(
        `sojourn ${name} is about this machine and takes no --host`,
        `on that host: sojourn ${name}`,
      );
    }
    for (const [option, value] of Object.entries(given)) {
      const variable = environmentVariables[option as keyof Given];
      if (variable !== undefined) process.env[variable] = value;
    }
  });
}

/** Whether a command was given an option that stands before it: an error's message of commander. */
export function isMisplaced(message: string): boolean {
  return Object.values(options).some(([flag]) => message.includes(`unknown option '${flag}'`));
}

/** The command in a command line, behind the program's own options; undefined when there is none. */
export function commandOf(args: readonly string[]): string | undefined {
  const flags = new Set(Object.values(options).map(([flag]) => flag));
  let index = 0;
  while (args[index]?.startsWith("-")) index += flags.has(args[index] ?? "") ? 2 : 1;
  return args[index];
}

function topLevelName(program: Command, command: Command): string {
  let top = command;
  while (top.parent !== null && top.parent !== program) top = top.parent;
  return top.name();
}
