/** Lines of a chain that the kernel enters by itself (nft(8), BASE CHAINS); none without rules. */
export function baseChain(
  name: string,
  hook: "prerouting" | "input" | "forward" | "output" | "postrouting",
  priority: string,
  rules: readonly string[],
  type: "filter" | "nat" | "route" = "filter",
): string[] {
  if (rules.length === 0) return [];
  return [
    `chain ${name} {`,
    `\ttype ${type} hook ${hook} priority ${priority}; policy accept;`,
    ...rules,
    "}",
  ];
}
