import { escapeText } from "./escape.ts";

/**
 * One HTML page that needs nothing else: no script, no font, no picture from anywhere. Well-formed as XML too.
 * @param body trusted markup; everything in it that came from elsewhere is escaped already.
 */
export function htmlDocument(title: string, body: readonly string[]): string {
  return `<!DOCTYPE html>
<html lang="en" xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>${escapeText(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeText(title)}</h1>
${body.filter((part) => part !== "").join("\n")}
</body>
</html>
`;
}

/** A table; cells are escaped here. Columns after the first hold figures. */
export function htmlTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[], tag: "th" | "td") =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join("")}</tr>`;
  const body = rows.map((row) => line(row, "td")).join("\n");
  return `<div class="wide"><table><thead>${line(header, "th")}</thead><tbody>\n${body}\n</tbody></table></div>`;
}

/** Names and values below each other. */
export function htmlFacts(facts: readonly (readonly [string, string])[]): string {
  const items = facts.map(
    ([name, value]) => `<dt>${escapeText(name)}</dt><dd>${escapeText(value)}</dd>`,
  );
  return `<dl>${items.join("")}</dl>`;
}

export function heading(level: 2 | 3, text: string): string {
  return `<h${level}>${escapeText(text)}</h${level}>`;
}

const style = `
:root { color-scheme: light dark; --back: #fff; --text: #1b1f24; --faint: #d5dae0; --soft: #59636e;
  --plot: #2f6fb3; --fill: #2f6fb355; --dark: #c0392b44; --mark: #8a6d00; }
@media (prefers-color-scheme: dark) { :root { --back: #14171b; --text: #e3e7eb; --faint: #343b43;
  --soft: #9aa5b1; --plot: #6fb1f2; --fill: #6fb1f255; --dark: #ff6b5a55; --mark: #d9b44a; } }
body { margin: 2rem auto; padding: 0 1rem; max-width: 62rem; background: var(--back); color: var(--text);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; } h3 { font-size: 1rem; }
svg { width: 100%; height: auto; font: 11px system-ui, sans-serif; }
svg text { fill: var(--soft); } svg .middle { text-anchor: middle; } svg .end { text-anchor: end; }
.grid { stroke: var(--faint); fill: none; } .area { fill: var(--fill); stroke: var(--plot); stroke-width: 1; }
.blackout { fill: var(--dark); } .mark { stroke: var(--mark); stroke-dasharray: 2 3; fill: none; }
svg .number { fill: var(--mark); font-size: 10px; }
.dot { fill: var(--fill); stroke: var(--plot); } .median { stroke: var(--text); stroke-width: 2; }
.legend { display: flex; flex-wrap: wrap; gap: 0 1.2em; margin: 0; padding: 0; list-style: none;
  font-size: 12px; color: var(--soft); } .legend b { color: var(--mark); }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: .25em .8em .25em 0; text-align: right; border-bottom: 1px solid var(--faint); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { color: var(--soft); font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1em 1.2em; } dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
`;
