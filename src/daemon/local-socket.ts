import { chmod, lstat, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { preconditionError } from "../platform/errors.ts";
import type { Api } from "./api/api.ts";
import { alreadyRunning } from "./lock-file.ts";

/**
 * Listens on a unix socket (0660). A socket that nobody answers on is replaced; one that answers is not.
 * @throws SojournError `SOJ_ALREADY_RUNNING`, or `SOJ_SOCKET_PATH_OCCUPIED` when the path is something else.
 */
export async function listenOnSocket(app: Api, path: string): Promise<void> {
  await removeStaleSocket(path);
  try {
    await app.listen({ path });
    await chmod(path, 0o660);
  } catch (error) {
    await app.close();
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") {
      throw alreadyRunning(`${path} was taken at this moment`);
    }
    throw error;
  }
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
