/** What a PromQL expression asks for. */
export interface Selection {
  metric: string;
  matchers: { label: string; operator: "=" | "!=" | "=~" | "!~"; value: string }[];
}

export interface Expression {
  selections: Selection[];
  /** Labels that results are grouped or joined by. */
  grouping: string[];
}

const words =
  /^(and|or|unless|bool|offset|inf|nan|by|without|on|ignoring|group_left|group_right)$/i;

/**
 * The metrics, matchers and grouping labels of an expression: enough of PromQL's grammar for rules and dashboards. Names
 * before a parenthesis are functions and operators.
 */
export function parsePromql(text: string): Expression {
  const grouping: string[] = [];
  const selections: Selection[] = [];
  const withoutGrouping = text.replaceAll(
    /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/gi,
    (_clause, labels: string) => {
      grouping.push(...labels.split(",").flatMap((label) => label.trim() || []));
      return " ";
    },
  );
  // Numbers and ranges are passed over whole: an exponent or a unit is no name.
  const parts =
    /(?<![\w:])(?:\d[\w.]*|\[[^\]]*\]|([a-zA-Z_:][\w:]*)\s*(?:\{((?:[^}"]|"(?:[^"\\]|\\.)*")*)\})?\s*(\(?))/g;
  for (const [, name, matchers, call] of withoutGrouping.matchAll(parts)) {
    if (name === undefined || call !== "" || words.test(name)) continue;
    selections.push({ metric: name, matchers: matchersOf(matchers ?? "") });
  }
  return { selections, grouping };
}

function matchersOf(text: string): Selection["matchers"] {
  const found = text.matchAll(/([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"/g);
  return [...found].map(([, label = "", operator, value = ""]) => ({
    label,
    operator: operator as "=",
    value,
  }));
}
