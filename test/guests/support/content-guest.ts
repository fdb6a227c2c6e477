import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layOutStreamCredentials } from "../../../src/daemon/stream-credentials.ts";
import type { GuestDefinition } from "../../../src/hypervisor/definition.ts";
import { createTestAuthority, type TestAuthority } from "../../support/host-certificates.ts";
import { firmwareGuest, QemuHost } from "../../support/qemu-host.ts";

/** A firmware-only guest whose memory holds something, and hosts between which its stream is protected. */
export class ContentGuest implements AsyncDisposable {
  readonly definition: GuestDefinition;
  /** Of its own, until it is disposed of. */
  readonly folder: string;
  readonly #authority: TestAuthority;

  private constructor(definition: GuestDefinition, folder: string, authority: TestAuthority) {
    this.definition = definition;
    this.folder = folder;
    this.#authority = authority;
  }

  /** @param content of its memory from the address `start` on. */
  static async create(content: Buffer, start: number): Promise<ContentGuest> {
    const authority = await createTestAuthority("host-a", "host-b");
    const folder = await mkdtemp(join(tmpdir(), "content-guest-"));
    const file = join(folder, "content");
    await writeFile(file, content);
    const loader = `loader,file=${file},addr=${start},force-raw=on`;
    const definition = firmwareGuest({ extra_arguments: ["-device", loader] });
    return new ContentGuest(definition, folder, authority);
  }

  /** A host with certificates; its caller disposes of it. */
  async host(name: "host-a" | "host-b"): Promise<QemuHost> {
    const files = this.#authority.hosts[name];
    if (files === undefined) throw new Error(`${name} has no certificate`);
    const credentials = await mkdtemp(join(this.folder, "credentials-"));
    await layOutStreamCredentials(credentials, files);
    return await QemuHost.create({ folder: credentials });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#authority[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}
