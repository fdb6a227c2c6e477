import type { DoctorCheck } from "../../daemon/services.ts";
import { counted } from "../../platform/counted.ts";

/** A check as lines for a person: what is wrong, why it matters, what mends it. */
export function describeCheck(check: DoctorCheck, host: string | null): string {
  const elsewhere = check.host !== null && check.host !== host ? ` (on ${check.host})` : "";
  const what = `${oneLine(check.name)}${elsewhere}: ${oneLine(check.detail)}`;
  const lines = [`${check.result.padEnd(7)}  ${what}`];
  if (check.result === "ok") return lines.join("\n");
  if (check.why !== null && check.result !== "skipped") lines.push(`why: ${oneLine(check.why)}`);
  if (check.mend !== null) {
    lines.push(
      ...check.mend.split("\n").map((line, index) => `${index === 0 ? "mend:" : "     "} ${line}`),
    );
  }
  if (check.hint !== null && check.hint !== check.mend) {
    lines.push(`hint: ${oneLine(check.hint)}`);
  }
  return lines.join("\n         ");
}

/** What another host says must not look like a line of ours. */
function oneLine(text: string): string {
  return text.replaceAll(/\s*[\n\r]+\s*/g, " ");
}

/** How many of which result. */
export function describeSummary(checks: readonly DoctorCheck[]): string {
  const count = (result: DoctorCheck["result"]) =>
    checks.filter((check) => check.result === result).length;
  const parts = [
    `${count("ok")} in order`,
    counted(count("warn"), "warning"),
    `${count("fail")} failed`,
  ];
  if (count("skipped") > 0) parts.push(`${count("skipped")} not checked`);
  const fixable = checks.some((check) => check.fixable);
  return `${parts.join(", ")}${fixable ? "; sojourn doctor --fix sets the kernel switches" : ""}`;
}
