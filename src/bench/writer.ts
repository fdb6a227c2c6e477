import { z } from "zod";
import { guestAddress } from "../lab/guests.ts";
import { labNodePrefix } from "../lab/nodes.ts";
import { runCommand } from "../platform/command.ts";

const reportSchema = z.object({ corruptions: z.int().nonnegative() });

/** Of the lab's first guest, asked from the client's node. */
export class Writer {
  readonly #lab: string;
  #known = 0;

  constructor(lab: string) {
    this.#lab = lab;
  }

  /**
   * Pages that did not hold what the guest had written, since this was asked last: its writer reads every page before
   * it writes it again.
   * @throws SojournError when the guest does not answer.
   */
  async newlyCorruptPages(): Promise<number> {
    const url = `http://${guestAddress(1)}/memcheck`;
    const program = `process.stdout.write(await (await fetch("${url}")).text())`;
    const [command = "", ...prefix] = labNodePrefix(this.#lab, "client");
    const args = [...prefix, process.execPath, "--input-type=module", "--eval", program];
    const { stdout } = await runCommand(command, args, { timeoutMs: answerWithinMs });
    const { corruptions } = reportSchema.parse(JSON.parse(stdout));
    const newly = corruptions - this.#known;
    this.#known = corruptions;
    return newly;
  }
}

const answerWithinMs = 10_000;
