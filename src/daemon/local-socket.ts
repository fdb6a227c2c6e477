import { chmod, chown, lstat, stat, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import { runCommand } from "../platform/command.ts";
import { preconditionError } from "../platform/errors.ts";
import type { Api } from "./api/api.ts";
import { alreadyRunning } from "./lock-file.ts";

/**
 * Listens on a unix socket (0660). A socket that nobody answers on is replaced; one that answers is not.
 * @param group that may open it besides root, and so may reach its folder; null: root's.
 * @throws SojournError `SOJ_ALREADY_RUNNING`, `SOJ_GROUP_UNKNOWN`, or `SOJ_SOCKET_PATH_OCCUPIED` when the path is
 * something else.
 */
export async function listenOnSocket(
  app: Api,
  path: string,
  group: string | null = null,
): Promise<void> {
  const groupId = group === null ? null : await groupIdOf(group);
  await removeStaleSocket(path);
  try {
    await app.listen({ path });
    if (groupId !== null) await giveToGroup(path, groupId);
    await chmod(path, 0o660);
  } catch (error) {
    await app.close();
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") {
      throw alreadyRunning(`${path} was taken at this moment`);
    }
    throw error;
  }
}

/** Before the mode lets the group in: nobody else ever may open it. */
async function giveToGroup(path: string, groupId: number): Promise<void> {
  const folder = dirname(path);
  const { uid, mode } = await stat(folder);
  await chown(folder, uid, groupId);
  // Through it, not into it: what else is there is not for the group.
  await chmod(folder, (mode & 0o707) | 0o010);
  await chown(path, uid, groupId);
}

async function groupIdOf(group: string): Promise<number> {
  const options = { timeoutMs: 10_000, acceptExitCodes: [2] };
  const { stdout } = await runCommand("getent", ["group", group], options);
  const id = Number(stdout.split(":")[2]);
  if (stdout !== "" && Number.isInteger(id)) return id;
  throw preconditionError("SOJ_GROUP_UNKNOWN", `there is no group ${group} on this host`, {
    hint: `groupadd --system ${group}, or another socket_group in [api] of sojourn.toml`,
  });
}

async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found === null) return;
  if (!found.isSocket()) {
    throw preconditionError("SOJ_SOCKET_PATH_OCCUPIED", `${path} exists and is not a socket`, {
      hint: "remove it if it is not needed",
    });
  }
  if (await answers(path)) throw alreadyRunning(`${path} answers`);
  await unlink(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(false);
      else reject(error);
    });
  });
}
