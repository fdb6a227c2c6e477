import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createApi } from "../../../../src/daemon/api/app.ts";
import { isSignedBy, keyOfSecret } from "../../../../src/daemon/hooks/signature.ts";
import { createLogger } from "../../../../src/platform/log.ts";
import { fakeServices } from "../../../support/fake-services.ts";
import { HooksHost, until } from "./hooks-host.ts";
import { startReceiver } from "./receiver.ts";

let host: HooksHost;
let stack: AsyncDisposableStack;
let api: Awaited<ReturnType<typeof createApi>>;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  host = stack.use(await HooksHost.make());
  host.begin();
  const services = () => ({ ...fakeServices(), ...host.hooks.services });
  api = await createApi({ hostName: "host-a", services, logger: createLogger("silent") });
  stack.defer(() => api.close());
});

afterEach(() => stack.disposeAsync());

async function call(method: "GET" | "POST" | "PUT" | "DELETE", url: string, body?: object) {
  const { statusCode, headers, payload } = await api.inject({
    ...{ method, url },
    ...(body === undefined ? {} : { payload: body }),
  });
  return { status: statusCode, headers, body: payload === "" ? null : JSON.parse(payload) };
}

describe("webhooks over the API", () => {
  it("are subscribed to, shown without their secret, changed and removed", async () => {
    const receiver = stack.use(await startReceiver());
    const other = stack.use(await startReceiver());
    const added = await call("POST", "/v1/webhooks", { name: "chat", url: receiver.url });
    expect(added).toMatchObject({
      status: 201,
      headers: { location: "/v1/webhooks/chat" },
      body: { name: "chat", events: ["phases", "outcomes", "guests"], origin: "api" },
    });
    const { secret } = added.body;
    expect(secret).toMatch(/^whsec_/);
    const shown = await call("GET", "/v1/webhooks/chat");
    expect(shown.body).toMatchObject({ url: receiver.url, guests: null, waiting: 0 });
    expect(JSON.stringify(shown.body)).not.toContain(secret);
    expect((await call("GET", "/v1/webhooks")).body).toEqual([shown.body]);
    expect(await call("POST", "/v1/webhooks", { name: "chat", url: receiver.url })).toMatchObject({
      status: 409,
      body: { code: "SOJ_WEBHOOK_EXISTS" },
    });
    const replacement = { url: other.url, events: ["migration.completed"] };
    expect(await call("PUT", "/v1/webhooks/chat", replacement)).toMatchObject({
      status: 200,
      body: { url: other.url, events: ["migration.completed"] },
    });
    // Also for the next daemon.
    await host.end();
    host.begin();
    host.phase("precopy");
    host.report("completed");
    const [message] = await other.got(1);
    if (message === undefined) throw new Error("no message");
    expect(isSignedBy(keyOfSecret(secret), message.headers, message.body, Date.now())).toBe(true);
    expect(JSON.parse(message.body).type).toBe("migration.completed");
    expect((await call("DELETE", "/v1/webhooks/chat")).status).toBe(204);
    expect((await call("GET", "/v1/webhooks/chat")).status).toBe(404);
    expect((await call("GET", "/v1/webhooks/chat/deliveries")).status).toBe(404);
    host.report("completed", "m2");
    await host.end();
    expect([receiver.received.length, other.received.length]).toEqual([0, 1]);
  });

  it("are tested at once", async () => {
    const receiver = stack.use(
      await startReceiver({
        answer: (_message, response, index) => response.writeHead(index === 0 ? 200 : 401).end(),
      }),
    );
    await call("POST", "/v1/webhooks", { name: "chat", url: receiver.url });
    expect(await call("POST", "/v1/webhooks/chat/test")).toMatchObject({
      status: 200,
      body: { status: 200 },
    });
    expect(JSON.parse(receiver.received[0]?.body ?? "")).toMatchObject({ type: "webhook.test" });
    expect(await call("POST", "/v1/webhooks/chat/test")).toMatchObject({
      status: 502,
      body: { code: "SOJ_HOOK_REFUSED", detail: expect.stringContaining("answered 401") },
    });
    expect((await call("POST", "/v1/webhooks/none/test")).status).toBe(404);
  });

  it("have a log of deliveries, in pages, from which each can be replayed", async () => {
    const receiver = stack.use(await startReceiver());
    await call("POST", "/v1/webhooks", { name: "chat", url: receiver.url });
    for (let count = 0; count < 5; count += 1) host.report("completed", `m${count}`);
    await receiver.got(5);
    const path = "/v1/webhooks/chat/deliveries";
    await until(async () => (await call("GET", `${path}?state=delivered`)).body.length === 5);
    const seen: string[] = [];
    let next: string | undefined = `${path}?limit=2&state=delivered`;
    while (next !== undefined) {
      const page: Awaited<ReturnType<typeof call>> = await call("GET", next);
      expect(page.body.length).toBeLessThanOrEqual(2);
      seen.push(...page.body.map(({ migration }: { migration: string }) => migration));
      next = /^<([^>]+)>; rel="next"$/.exec(String(page.headers.link ?? ""))?.[1];
    }
    expect(seen).toEqual(["m4", "m3", "m2", "m1", "m0"]);
    const [newest] = (await call("GET", path)).body;
    expect(newest).toMatchObject({ state: "delivered", status: 204, attempts: 1, error: null });
    const replayed = await call("POST", `${path}/${newest.id}/replay`);
    expect(replayed).toMatchObject({ status: 202, body: { id: newest.id, state: "pending" } });
    const messages = await receiver.got(6);
    expect(messages[5]?.headers["webhook-id"]).toBe(newest.id);
    expect(messages[5]?.body).toBe(messages[4]?.body);
    expect(await call("POST", `${path}/msg_none/replay`)).toMatchObject({
      status: 404,
      body: { code: "SOJ_DELIVERY_UNKNOWN" },
    });
    expect((await call("GET", "/v1/webhooks/exec/deliveries")).body).toEqual([]);
  });

  it.each([
    [{ name: "exec", url: "https://chat.example.com/" }, 400, "SOJ_USAGE"],
    [{ name: "../x", url: "https://chat.example.com/" }, 400, "SOJ_USAGE"],
    [{ name: "a", url: "file:///etc/passwd" }, 400, "SOJ_USAGE"],
    [
      { name: "a", url: "https://chat.example.com/", secret: "short" },
      400,
      "SOJ_HOOK_SECRET_INVALID",
    ],
    [{ name: "a", url: "https://chat.example.com/", secret_file: "/etc/shadow" }, 400, "SOJ_USAGE"],
    [{ name: "a", url: "https://chat.example.com/", ca: "none" }, 400, "SOJ_HOOK_CA_INVALID"],
    [{ name: "a", url: "https://chat.example.com/", events: ["all"] }, 400, "SOJ_USAGE"],
    [{ name: "a", url: "https://10.0.0.1/" }, 422, "SOJ_HOOK_TARGET_REFUSED"],
    [{ name: "a", url: "https://169.254.169.254/latest" }, 422, "SOJ_HOOK_TARGET_REFUSED"],
    [{ name: "a", url: "https://[::1]/" }, 422, "SOJ_HOOK_TARGET_REFUSED"],
  ])("refuse %j", async (body, status, code) => {
    expect(await call("POST", "/v1/webhooks", body)).toMatchObject({ status, body: { code } });
    expect((await call("GET", "/v1/webhooks")).body).toEqual([]);
  });
});
