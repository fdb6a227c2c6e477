/**
 * Moves of guests of one image and size, each by its own method, in turn in one lab, and how their outages compare.
 * usage: libvirt-moves.ts [--runs N] [--methods LIST] [--json] [--lab NAME]; see scripts/libvirt-moves.
 */
import { parseArgs } from "node:util";
import { ExitCode } from "../../src/platform/errors.ts";
import { inLab, type MovingLab, print } from "./lab-moves.ts";
import { guestsOfLab, hosts, openMethod } from "./libvirt-moves/bed.ts";
import { measuredMove } from "./libvirt-moves/measure.ts";
import { type Method, type MethodName, methodNames } from "./libvirt-moves/methods.ts";
import { type Move, summaryOf } from "./libvirt-moves/records.ts";
import { printMove, printSummary } from "./libvirt-moves/tables.ts";
import { numberOf } from "./number-option.ts";

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "10" },
    methods: { type: "string", default: methodNames.join() },
    json: { type: "boolean", default: false },
    lab: { type: "string", default: "libvirt-moves" },
  },
});
const runs = numberOf("libvirt-moves", "runs", options.runs, 1000);
const chosen = chosenMethods(options.methods);

await inLab("libvirt-moves", options.lab, measure, {
  hosts: hosts.length,
  libvirt: true,
  guests: guestsOfLab,
});

async function measure(lab: MovingLab): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const methods: Method[] = [];
  for (const name of chosen) {
    process.stderr.write(`libvirt-moves: a guest for ${name}\n`);
    methods.push(opened.use(await openMethod(lab, name)));
  }
  const moves: Move[] = [];
  for (let round = 1; round <= runs; round += 1) {
    const [from, to] = round % 2 === 1 ? hosts : hosts.toReversed();
    for (const method of orderOf(methods, round)) {
      const figures = await measuredMove(lab, method, from as string, to as string);
      const move: Move = { type: "move", round, ...figures };
      if (options.json) print(JSON.stringify(move));
      else printMove(move, moves.length === 0);
      moves.push(move);
    }
  }
  const summary = summaryOf(moves);
  if (options.json) print(JSON.stringify(summary));
  else printSummary(summary);
  const broken = moves.reduce((sum, { sessions_broken }) => sum + sessions_broken, 0);
  if (broken > 0) throw new Error(`${broken} sessions broken`);
}

/** A method begins every pair of rounds, there and back, and the pairs begin with each method in turn. */
function orderOf(methods: readonly Method[], round: number): Method[] {
  const shift = Math.floor((round - 1) / 2) % methods.length;
  return [...methods.slice(shift), ...methods.slice(0, shift)];
}

function chosenMethods(list: string): MethodName[] {
  const names = list.split(",");
  const unknown = names.find((name) => !methodNames.some((one) => one === name));
  if (unknown === undefined && new Set(names).size === names.length) return names as MethodName[];
  process.stderr.write(
    `libvirt-moves: --methods ${list}: not some of ${methodNames.join(", ")}, each once\n`,
  );
  process.exit(ExitCode.usage);
}
