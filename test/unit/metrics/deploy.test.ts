import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { type Sample, samplesOf } from "../../support/scrape.ts";
import { scrapeOfBusyHost } from "./busy-host.ts";
import { parsePromql, type Selection } from "./promql.ts";

const alerts = read("prometheus/alerts.yml");
const dashboard = JSON.parse(read("grafana/sojourn.json")) as Dashboard;

/** What Prometheus itself adds to every sample. */
const targetLabels = ["instance", "job"];

let scrape: string;
let samples: Sample[];

beforeAll(async () => {
  scrape = await scrapeOfBusyHost();
  samples = samplesOf(scrape);
});

test("expressions are read as Prometheus reads them", () => {
  const read = parsePromql(
    'histogram_quantile(0.99, sum by (le, route) (rate(a_bucket{x=~"1|}",y!="2"}[5m]))) / on(z) group_left b:c offset 1h > bool 1e3',
  );
  expect(read.grouping).toEqual(["le", "route", "z"]);
  expect(read.selections).toEqual([
    {
      metric: "a_bucket",
      matchers: [
        { label: "x", operator: "=~", value: "1|}" },
        { label: "y", operator: "!=", value: "2" },
      ],
    },
    { metric: "b:c", matchers: [] },
  ]);
});

test("all metrics and labels in the alert rules are in a scrape", () => {
  const expressions = expressionsOf(alerts);
  expect(expressions.length).toBeGreaterThan(20);
  for (const expression of expressions) check(expression);
});

test("alerts say what to look at, with labels that they have", () => {
  const rules = alerts.split(/^ {6}- alert: /m).slice(1);
  expect(rules.length).toBeGreaterThan(15);
  for (const rule of rules) {
    const [name = ""] = rule.split("\n");
    expect(name).toMatch(/^Sojourn[A-Z]\w+$/);
    for (const key of ["severity", "summary", "description"])
      expect(rule, name).toContain(`${key}: `);
    const [expression = ""] = expressionsOf(rule);
    const known = labelsOfResult(expression);
    for (const [, label = ""] of rule.matchAll(/\$labels\.(\w+)/g)) {
      expect(known, `${name} tells of ${label}`).toContain(label);
    }
  }
});

test("all metrics and labels in the dashboard are in a scrape or recorded", () => {
  const expressions = dashboard.panels.flatMap(({ targets }) =>
    (targets ?? []).map(({ expr }) => expr),
  );
  expect(expressions.length).toBeGreaterThan(40);
  for (const expression of expressions) check(expression);
  for (const { targets = [] } of dashboard.panels) {
    for (const { expr, legendFormat = "" } of targets) {
      const known = labelsOfResult(expr);
      for (const [, label = ""] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        expect(known, `legend of ${expr}`).toContain(label);
      }
    }
  }
});

test("the dashboard shows every metric of ours, in panels that do not overlap", () => {
  const shown = new Set(
    [
      ...dashboard.panels.flatMap(({ targets }) => (targets ?? []).map(({ expr }) => expr)),
      ...expressionsOf(alerts),
    ].flatMap((expression) =>
      parsePromql(expression).selections.map(({ metric }) => baseOf(metric)),
    ),
  );
  const ours = new Set(
    samples.map(({ name }) => baseOf(name)).filter((name) => name.startsWith("sojourn_")),
  );
  expect([...ours].filter((name) => !shown.has(name))).toEqual([]);
  const cells = new Set<string>();
  for (const {
    gridPos: { x, y, w, h },
  } of dashboard.panels) {
    expect(x + w).toBeLessThanOrEqual(24);
    for (let column = x; column < x + w; column += 1) {
      for (let line = y; line < y + h; line += 1) {
        expect(cells.has(`${column} ${line}`)).toBe(false);
        cells.add(`${column} ${line}`);
      }
    }
  }
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
});

test("the documentation lists every metric, with its type, labels and help text", () => {
  const documented = [...read("../docs/monitoring.md").matchAll(/^\| `(sojourn_.*) \|$/gm)];
  const found = [...scrape.matchAll(/^# HELP (sojourn_\S+) (.*)\n# TYPE \S+ (\S+)$/gm)].map(
    ([, name = "", help, type]) => {
      const labels = samples
        .filter((sample) => sample.name === name || sample.name === `${name}_count`)
        .flatMap((sample) => Object.keys(sample.labels));
      const list = [...new Set(labels)].map((label) => `\`${label}\``).join(", ");
      return `${name}\` | ${type} | ${list} | ${help}`;
    },
  );
  expect(documented.map(([, line]) => line)).toEqual(found);
});

interface Dashboard {
  panels: {
    id: number;
    gridPos: { x: number; y: number; w: number; h: number };
    targets?: { expr: string; legendFormat?: string }[];
  }[];
}

function check(expression: string): void {
  const { selections, grouping } = parsePromql(expression);
  expect(selections.length, expression).toBeGreaterThan(0);
  for (const selection of selections) checkSelection(selection, expression);
  const known = selections.flatMap(labelsOfMetric);
  for (const label of grouping) expect(known, `${label} in ${expression}`).toContain(label);
}

function checkSelection({ metric, matchers }: Selection, expression: string): void {
  if (metric === "up") return;
  const found = samplesNamed(metric);
  const recorded = recordedRules().get(metric);
  expect(found.length > 0 || recorded !== undefined, `${metric} in ${expression}`).toBe(true);
  for (const { label, operator, value } of matchers) {
    if (targetLabels.includes(label)) continue;
    const values = found.flatMap(({ labels }) => labels[label] ?? []);
    expect(values.length, `${label} of ${metric}`).toBeGreaterThan(0);
    if (operator === "=") expect(values, `${metric}{${label}}`).toContain(value);
  }
}

function labelsOfMetric({ metric }: Selection): string[] {
  const recorded = recordedRules().get(metric);
  if (recorded !== undefined) return [...labelsOfResult(recorded), ...targetLabels];
  return [...samplesNamed(metric).flatMap(({ labels }) => Object.keys(labels)), ...targetLabels];
}

/** The labels that an expression's result can have: those it is grouped by, or else those of its metrics. */
function labelsOfResult(expression: string): string[] {
  const { selections, grouping } = parsePromql(expression);
  if (grouping.length > 0) return grouping;
  return /\b(?:sum|max|min)\s*\(/.test(expression) ? [] : selections.flatMap(labelsOfMetric);
}

function samplesNamed(metric: string): Sample[] {
  return samples.filter(({ name }) => name === metric);
}

function baseOf(metric: string): string {
  return metric.replace(/_(bucket|sum|count)$/, "");
}

function recordedRules(): Map<string, string> {
  const rules = alerts.split(/^ {6}- record: /m).slice(1);
  return new Map(rules.map((rule) => [rule.split("\n")[0] ?? "", expressionsOf(rule)[0] ?? ""]));
}

/** Of the rules' `expr` keys, of one line or of a block. */
function expressionsOf(yaml: string): string[] {
  const found = yaml.matchAll(/^ {8}expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)/gm);
  return [...found].map(([, block, line]) => (block ?? line ?? "").replaceAll(/\s+/g, " ").trim());
}

function read(name: string): string {
  return readFileSync(`${import.meta.dirname}/../../../deploy/${name}`, "utf8");
}
