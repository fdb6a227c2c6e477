import { spawn } from "node:child_process";
import { once } from "node:events";
import { labNodePrefix } from "../../../src/lab/index.ts";
import { interfaceName } from "../../../src/platform/names.ts";
import type { TestLab } from "../../support/lab.ts";

/** Makes a guest's tap at a host hold two packets only, whoever lengthens its queue, between `begin` and disposal. */
export class ShortQueue implements AsyncDisposable {
  readonly #child;
  readonly #ended: Promise<unknown>;

  constructor(lab: TestLab, host: string, guest: string) {
    const shorten = `ip link set dev ${interfaceName("p", guest)} txqueuelen 2`;
    const script = `read line; until read -t 0.003 line; do ${shorten}; done`;
    const [program = "", ...args] = [...labNodePrefix(lab.name, host), "bash", "-c", script];
    this.#child = spawn(program, args, { stdio: ["pipe", "inherit", "ignore"] });
    this.#ended = once(this.#child, "close");
  }

  begin(): void {
    this.#child.stdin.write("begin\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end("over\nover\n");
    await this.#ended;
  }
}
