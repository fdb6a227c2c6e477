import { Command, CommanderError } from "commander";
import { type SojournError, usageError } from "../platform/errors.ts";
import { releaseVersion } from "../platform/release.ts";
import { commandLoaders } from "./commands.ts";
import { printError, surviveClosedPipes, wantsJson } from "./output.ts";
import { addRemoteOptions, commandOf, isMisplaced } from "./remote.ts";

/**
 * Runs the command line and sets the process's exit code; never throws.
 * @param args without the program's name.
 */
export async function runCli(args: readonly string[]): Promise<void> {
  surviveClosedPipes();
  const json = wantsJson(args);
  try {
    const program = await programFor(args, json);
    await program.parseAsync([...args], { from: "user" });
  } catch (thrown) {
    const isHelp = thrown instanceof CommanderError && thrown.exitCode === 0;
    if (!isHelp) printError(thrown, json);
  }
}

/** Only the command that is asked for is loaded; all of them when help or an unknown one is. */
async function programFor(args: readonly string[], json: boolean): Promise<Command> {
  const program = new Command("sojourn")
    .description("Moves a running guest to a host in another subnet and keeps its TCP sessions.")
    .version(releaseVersion(), "--version")
    .enablePositionalOptions()
    .helpCommand(false);
  addRemoteOptions(program);
  const wanted = commandOf(args);
  const names = Object.keys(commandLoaders);
  const loaded = wanted !== undefined && names.includes(wanted) ? [wanted] : names;
  for (const name of loaded) {
    const command = await commandLoaders[name as keyof typeof commandLoaders]();
    program.addCommand(command);
  }
  throwInsteadOfExit(program, json);
  return program;
}

/** Commander would print and exit by itself; this error handling must hold for every level of commands. */
function throwInsteadOfExit(command: Command, json: boolean): void {
  command.exitOverride((error) => {
    throw error.exitCode === 0 ? error : asUsageError(error, command);
  });
  command.configureOutput({
    outputError: () => {},
    ...(json ? { writeErr: () => {} } : {}),
  });
  for (const child of command.commands) throwInsteadOfExit(child, json);
}

function asUsageError(error: CommanderError, command: Command): SojournError {
  const isMissingCommand = error.code === "commander.help";
  const message = isMissingCommand ? "a command is missing" : error.message.replace(/^error: /, "");
  const hint = isMisplaced(message)
    ? "it stands before the command: sojourn --host https://HOST:PORT … COMMAND"
    : `${fullNameOf(command)} --help`;
  return usageError(message, hint);
}

function fullNameOf(command: Command): string {
  return command.parent === null
    ? command.name()
    : `${fullNameOf(command.parent)} ${command.name()}`;
}

if (import.meta.main) await runCli(process.argv.slice(2));
