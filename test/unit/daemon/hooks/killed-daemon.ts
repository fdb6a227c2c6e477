import type { WebhookConfig } from "../../../../src/daemon/hooks/config.ts";
import { HooksHost, until } from "./hooks-host.ts";

/** The hooks of a daemon that is killed: `FOLDER URL SECRET-FILE COUNT`; says `spooled` when it may be. */
const [folder = "", url = "", secretFile = "", count = "0"] = process.argv.slice(2);

const webhook: WebhookConfig = {
  ...{ name: "chat", url, secret_file: secretFile, events: ["phases", "outcomes"] },
  timeout_ms: 5_000,
};
const host = new HooksHost(folder);
host.webhooks = [webhook];
host.begin();
for (let index = 0; index < Number(count); index += 1) host.report("completed", `m${index}`);
await until(() => {
  const [figures] = host.hooks.figures();
  return (figures?.waiting ?? 0) + (figures?.delivered ?? 0) >= Number(count);
});
process.stdout.write("spooled\n");
setInterval(() => {}, 1_000);
