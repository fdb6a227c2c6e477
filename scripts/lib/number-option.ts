import { ExitCode } from "../../src/platform/errors.ts";

/** The whole number that an option names. Ends this program with exit code 2 unless it is from 1 to `most`. */
export function numberOf(program: string, option: string, value: string, most: number): number {
  const number = Number(value);
  if (Number.isInteger(number) && number >= 1 && number <= most) return number;
  process.stderr.write(`${program}: --${option} ${value}: not a number between 1 and ${most}\n`);
  process.exit(ExitCode.usage);
}
