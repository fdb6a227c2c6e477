import { request } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DaemonServices } from "../../../../src/daemon/services.ts";
import { preconditionError } from "../../../../src/platform/errors.ts";
import { benchmark, flowWith, host, tunnel } from "../../../support/fake-inventory.ts";
import { fakeServices } from "../../../support/fake-services.ts";
import { type LocalDaemon, startLocalDaemon } from "../../../support/local-daemon.ts";

let services: DaemonServices;
let daemon: LocalDaemon;

beforeEach(async () => {
  services = fakeServices();
  daemon = await startLocalDaemon(() => services);
});
afterEach(() => daemon[Symbol.asyncDispose]());

describe("over the API", () => {
  it("hosts and tunnels are listed", async () => {
    expect(await daemon.client.listHosts()).toEqual([host]);
    expect(await daemon.client.showHost("host-a")).toEqual(host);
    await expect(daemon.client.showHost("host-z")).rejects.toMatchObject({
      ...{ code: "SOJ_HOST_UNKNOWN", exitCode: 3, httpStatus: 404 },
    });
    expect(await daemon.client.listTunnels()).toEqual([tunnel]);
  });

  it("flows are listed by their guest, in the path or in the query", async () => {
    const asked: unknown[] = [];
    services = fakeServices({
      listFlows: async (guest, query) => {
        asked.push([guest, query]);
        return [flowWith({})];
      },
    });
    expect(await daemon.client.listFlows("web1", { all: true })).toEqual([flowWith({})]);
    expect((await get("/v1/flows?guest=web1")).body).toEqual([flowWith({})]);
    await daemon.client.listFlows("web1", { path: "redirect" });
    expect(asked).toEqual([
      ["web1", { all: true }],
      ["web1", { all: false }],
      ["web1", { all: false, path: "redirect" }],
    ]);
    expect((await get("/v1/flows?guest=web1&path=elsewhere")).status).toBe(400);
    expect((await get("/v1/flows")).status).toBe(400);
    expect((await get("/v1/guests/..%2fx/flows")).status).toBe(400);
    expect((await get("/v1/guests/web1/flows?all=perhaps")).status).toBe(400);
  });

  it("a host that tracks no connections says so", async () => {
    services = fakeServices({
      listFlows: async () => {
        throw preconditionError("SOJ_FLOWS_UNTRACKED", "no connection tracking");
      },
    });
    await expect(daemon.client.listFlows("web1")).rejects.toMatchObject({
      ...{ code: "SOJ_FLOWS_UNTRACKED", exitCode: 3, httpStatus: 409 },
    });
  });

  it("long lists come in pages, each with the way to the next", async () => {
    const flows = Array.from({ length: 2_500 }, (_, index) =>
      flowWith({ id: String(index).padStart(10, "0") }),
    );
    services = fakeServices({ listFlows: async () => flows });
    expect(await daemon.client.listFlows("web1")).toEqual(flows);
    const first = await get("/v1/guests/web1/flows?limit=2");
    expect(first.body).toEqual(flows.slice(0, 2));
    expect(first.link).toBe('</v1/guests/web1/flows?limit=2&cursor=0000000001>; rel="next"');
    const [, next = ""] = /<(.*)>/.exec(first.link ?? "") ?? [];
    expect((await get(next)).body).toEqual(flows.slice(2, 4));
    const last = await get("/v1/guests/web1/flows?cursor=0000002498");
    expect(last).toEqual({ status: 200, body: flows.slice(-1), link: undefined });
    expect((await get("/v1/hosts?limit=0")).status).toBe(400);
  });

  it("benchmarks are begun, followed and cancelled", async () => {
    const asked: unknown[] = [];
    services = fakeServices({
      startBenchmark: async (wanted) => {
        asked.push(wanted);
        return benchmark;
      },
    });
    const { client } = daemon;
    expect(await client.startBenchmark({ guest: "web1", to: "host-b", runs: 2 })).toEqual(
      benchmark,
    );
    expect(asked).toEqual([
      {
        ...{ guest: "web1", to: "host-b", runs: 2, strategies: ["lossless"] },
        ...{ load: ["echo", "stream"], tunnel: "auto" },
      },
    ]);
    expect(await client.listBenchmarks()).toEqual([benchmark]);
    expect(await client.getBenchmark("b1")).toEqual(benchmark);
    expect(await client.cancelBenchmark("b1")).toMatchObject({ state: "cancelling" });
    await expect(client.getBenchmark("b9")).rejects.toMatchObject({ httpStatus: 404 });
    const refused = [{ runs: 0 }, { strategies: [] }, { load: ["echo", "echo"] }, { to: "../x" }];
    for (const wrong of refused) {
      const begun = client.startBenchmark({ guest: "web1", to: "host-b", ...wrong } as never);
      await expect(begun).rejects.toMatchObject({ exitCode: 2, httpStatus: 400 });
    }
    expect(asked).toHaveLength(1);
  });
});

function get(path: string): Promise<{ status: number; body: unknown; link: string | undefined }> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: daemon.socketPath, path, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const body: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
        const link = response.headers.link as string | undefined;
        resolve({ status: response.statusCode ?? 0, body, link });
      });
    });
    sent.on("error", reject);
    sent.end();
  });
}
