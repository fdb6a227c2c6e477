import { createLogger } from "../../../platform/log.ts";
import { createApi } from "../app.ts";

/** The text of docs/openapi.json: what the API of this source is. */
export async function openApiText(): Promise<string> {
  const services = () => {
    throw new Error("there is no daemon here");
  };
  const app = await createApi({ hostName: "host-a", services, logger: createLogger("silent") });
  try {
    return `${JSON.stringify(app.swagger(), null, 2)}\n`;
  } finally {
    await app.close();
  }
}
