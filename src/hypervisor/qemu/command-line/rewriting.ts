import { isAbsolute, resolve } from "node:path";
import type { CommandLineOption } from "./command-line.ts";
import { OptionList } from "./option-list.ts";

/** What is known of the process beyond its command line. */
export interface Surroundings {
  /** Its working folder, against which it was given relative paths. */
  folder: string;
  /** Its machine type with its version: `pc-q35-10.0`. */
  machine: string;
  accelerator: "kvm" | "tcg";
  /** What is at a path: a folder, something else, or nothing. */
  look: (path: string) => "folder" | "file" | null;
}

/** The state of a command line's rewriting: what the options tell about one another, and what was found. */
export class Rewriting {
  readonly surroundings: Surroundings;
  /** Reasons why the guest could not be made again. */
  readonly refusals: string[] = [];
  /** What will be different there. */
  readonly warnings: string[] = [];
  /** Character devices of monitors: they go with them. */
  readonly monitorDevices: ReadonlySet<string>;
  /** Character devices that a serial port speaks through, and whose words go to the console's file. */
  readonly consoleDevice: string | null;
  /** NICs whose frames go through a tap. */
  taps = 0;
  hasConsole: boolean;
  readonly #options: readonly CommandLineOption[];

  constructor(options: readonly CommandLineOption[], surroundings: Surroundings) {
    this.#options = options;
    this.surroundings = surroundings;
    this.monitorDevices = new Set(
      this.lists("mon", "chardev").flatMap((list) => list.get("chardev") ?? []),
    );
    this.consoleDevice = this.#serialDevices().next().value ?? null;
    this.hasConsole = this.consoleDevice !== null;
  }

  /** All options of a name, as lists. */
  lists(name: string, implied: string): OptionList[] {
    return this.#options.flatMap((option) =>
      option.name === name && option.value !== null ? OptionList.parse(option.value, implied) : [],
    );
  }

  /** Whether another option than the object's own names it. */
  isReferredTo(id: string, own: string): boolean {
    return this.#options.some(({ value }) => value !== null && value !== own && value.includes(id));
  }

  refuse(reason: string): void {
    if (!this.refusals.includes(reason)) this.refusals.push(reason);
  }

  warn(text: string): void {
    if (!this.warnings.includes(text)) this.warnings.push(text);
  }

  /** A file's path as any process finds it; names of QEMU's own data folder, and of other protocols, stay. */
  path(path: string): string {
    if (path.startsWith("/dev/fdset/"))
      this.refuse(`${path} is a descriptor of this process alone`);
    if (path === "" || isAbsolute(path) || /^[a-z][a-z0-9+-]+:/i.test(path)) return path;
    const whole = resolve(this.surroundings.folder, path);
    return this.surroundings.look(whole) === null ? path : whole;
  }

  /** The list with its paths as any process finds them. */
  paths(list: OptionList, keys: readonly string[]): OptionList {
    return keys.reduce((changed, key) => {
      const path = changed.get(key);
      return path === undefined ? changed : changed.with(key, this.path(path));
    }, list);
  }

  *#serialDevices(): Generator<string> {
    for (const { name, value } of this.#options) {
      if (name === "serial" && value?.startsWith("chardev:")) yield value.slice("chardev:".length);
      if (name !== "device" || value === null) continue;
      const list = OptionList.parse(value, "driver");
      const device = list.get("chardev");
      if (device !== undefined && /^(isa|pci)-serial/.test(list.get("driver") ?? "")) yield device;
    }
  }
}
