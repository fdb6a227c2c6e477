import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { badObject } from "../errors.ts";
import type { Action } from "../steps.ts";
import { type BpfConfig, patchObject } from "./object.ts";

export interface ObjectOptions {
  /** The compiled object; by default `SOJOURN_BPF_OBJECT`, then `build/bpf/ipip.bpf.o` of the checkout. */
  objectPath?: string;
  /** Folder only root can write, for the copies with one tunnel's constants while they are loaded. */
  runtimeFolder?: string;
}

const checkout = resolve(import.meta.dirname, "../../..");

/** The copy of the object that is loaded for one tunnel; its name is what `tc filter show` prints. */
export function objectCopy(options: ObjectOptions, name: string): string {
  return join(options.runtimeFolder ?? "/run/sojourn/bpf", `${name}.o`);
}

/** Writes that copy; `config` is asked for only then, because it holds the new device's index. */
export function installObject(
  options: ObjectOptions,
  name: string,
  config: () => Promise<BpfConfig>,
): Action {
  const source = objectPath(options);
  const copy = objectCopy(options, name);
  return {
    text: `install -D -m 600 ${source} ${copy}  # with this tunnel's addresses in .rodata`,
    perform: async () => {
      const patched = patchObject(await readObject(source), await config());
      await mkdir(dirname(copy), { recursive: true, mode: 0o700 });
      // An older file could have been left with another owner or as a link.
      await rm(copy, { force: true });
      await writeFile(copy, patched, { mode: 0o600, flag: "wx" });
    },
  };
}

/** Removes the copy; the kernel has its own by then. */
export function removeObject(options: ObjectOptions, name: string): Action {
  const copy = objectCopy(options, name);
  return { text: `rm -f ${copy}`, perform: () => rm(copy, { force: true }) };
}

function objectPath(options: ObjectOptions): string {
  const fallback = join(checkout, "build/bpf/ipip.bpf.o");
  return options.objectPath ?? process.env.SOJOURN_BPF_OBJECT ?? fallback;
}

async function readObject(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw badObject(`the BPF object ${path} cannot be read`, error);
  }
}
