import { spawnSync } from "node:child_process";
import { findTool } from "../platform/command.ts";
import { SojournError, usageError } from "../platform/errors.ts";
import { checkNode, labNodePrefix, nodeHasFolder } from "./nodes.ts";
import { refuseUnlessRoot } from "./requirements.ts";

/**
 * Becomes the command, in the node: this process is replaced, so standard streams, terminal, signals and exit
 * status are the command's own. Returns only by throwing.
 * @throws SojournError `SOJ_NOT_ROOT`, `SOJ_LAB_NOT_UP`, `SOJ_LAB_NODE_UNKNOWN`, `SOJ_LAB_DAMAGED`, `SOJ_USAGE`.
 */
export function execInNode(lab: string, node: string, command: readonly string[]): never {
  const argv = execArguments(lab, node, command);
  if (process.execve === undefined) {
    throw new SojournError("SOJ_INTERNAL", "this Node cannot replace its process (execve)");
  }
  makeStandardStreamsBlocking();
  process.execve(argv[0] as string, argv, process.env as Record<string, string>);
  throw new SojournError("SOJ_INTERNAL", `${argv[0]} could not be run`);
}

/** The command line that `execInNode` becomes. */
export function execArguments(lab: string, node: string, command: readonly string[]): string[] {
  refuseUnlessRoot();
  checkNode(lab, node);
  if (command.length === 0) {
    throw usageError("no command given", `for a shell: sojourn lab exec ${node} -- bash`);
  }
  const [nsenter, ...rest] = labNodePrefix(lab, node) as [string, ...string[]];
  const folder = process.cwd();
  const inFolder = nodeHasFolder(lab, node, folder) ? [`--wdns=${folder}`] : [];
  return [
    ...[nsenter, ...inFolder, ...rest],
    // Node ignores these two, and what is ignored stays ignored in the program it becomes.
    ...[findTool("env"), "--default-signal=PIPE,XFSZ", "--"],
    ...command,
  ];
}

/**
 * Node makes the standard streams non-blocking once they are touched, which few programs expect of theirs.
 * It makes them blocking again for a child, and the flag belongs to the stream, not to the process.
 */
function makeStandardStreamsBlocking(): void {
  spawnSync(findTool("true"), { stdio: "inherit" });
}
