import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";

/** The answer to a GET over a unix socket; the path is sent as it is. */
export async function getText(
  socketPath: string,
  path: string,
): Promise<{ status: number; type: string | undefined; text: string }> {
  const sent = request({ socketPath, path, agent: false });
  sent.end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const chunks = await Array.fromAsync(response as AsyncIterable<Buffer>);
  const text = Buffer.concat(chunks).toString();
  return { status: response.statusCode ?? 0, type: response.headers["content-type"], text };
}
