/** Runs the demo in a process of its own, to be interrupted. usage: demo LAB PROGRAM IMAGE */
import { demoLab } from "../../../src/lab/index.ts";
import { asSojournError } from "../../../src/platform/errors.ts";

const [lab = "", program = "", file = ""] = process.argv.slice(2);
const image = { kernel: file, initrd: file };
try {
  await demoLab({ lab, program, image, keep: false, json: true, explain: () => {} });
} catch (error) {
  const { code, exitCode } = asSojournError(error);
  console.log(code);
  process.exitCode = exitCode;
}
