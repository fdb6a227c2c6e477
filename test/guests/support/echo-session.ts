import { labNodePrefix } from "../../../src/lab/index.ts";
import type { TestLab } from "../../support/lab.ts";
import { NodeProgram } from "./node-program.ts";
import type { SessionLine } from "./session-client.ts";

export type EchoSession = NodeProgram<SessionLine>;

/** An interactive session of the client with a guest's echo service, web1's by default, that has begun to answer. */
export async function openSession(
  lab: TestLab,
  address = "10.1.0.10",
  port = "7",
): Promise<EchoSession> {
  return await openSessionFrom(labNodePrefix(lab.name, "client"), address, port);
}

/** The same of whoever runs what follows `prefix`. */
export async function openSessionFrom(
  prefix: readonly string[],
  address = "10.1.0.10",
  port = "7",
): Promise<EchoSession> {
  const args = [address, port];
  const session = NodeProgram.startBehind<SessionLine>(prefix, "session-client.ts", args);
  await moreEchoes(session, 20);
  return session;
}

/** Resolves once that many more lines have come back. */
export async function moreEchoes(session: EchoSession, count: number): Promise<void> {
  const wanted = (session.lines.at(-1)?.echoed ?? 0) + count;
  await session.line(({ echoed }) => echoed >= wanted, 20_000);
}
