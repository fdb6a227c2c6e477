import type { ThroughputTimeline } from "../../probe/throughput-timeline.ts";
import { escapeText } from "./escape.ts";
import { linearScale, pixel } from "./scale.ts";

/** A moment of a migration, on the throughput's axis. */
export interface PlotMark {
  phase: string;
  at_ms: number;
}

export interface ThroughputPlot {
  title: string;
  throughput: ThroughputTimeline;
  marks: readonly PlotMark[];
  /** Top of the axis in Mbit/s, to compare with other plots; by default the largest value. */
  topMbps?: number;
}

const size = { width: 960, height: 300, left: 64, right: 16, top: 46, bottom: 40 };
const labelRows = 3;
const labelWidth = 10;
const maxMarks = 40;

/** Mbit/s over seconds from the guest's stop, as SVG: the blackout shaded, phases numbered. Pure. */
export function throughputPlot({ title, throughput, marks, topMbps }: ThroughputPlot): string {
  const { start_ms, step_ms, mbps } = throughput;
  const zeroMs = stopOf(marks) ?? 0;
  const seconds = (ms: number) => (ms - zeroMs) / 1000;
  const endMs = start_ms + step_ms * mbps.length;
  const top = Math.max(topMbps ?? mbps.reduce((most, one) => Math.max(most, one), 0), 1);
  const x = linearScale([seconds(start_ms), seconds(endMs)], [size.left, size.width - size.right]);
  const y = linearScale([0, top * 1.05], [size.height - size.bottom, size.top]);
  const atMs = (ms: number) => x.at(seconds(ms));
  const shown = marksWithin(marks, start_ms, endMs);
  const floor = size.height - size.bottom;
  return [
    `<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escapeText(title)}">`,
    `<title>${escapeText(title)}</title>`,
    ...blackout(marks, atMs, floor),
    ...y.ticks.map((tick) => {
      const at = pixel(y.at(tick));
      return `<path class="grid" d="M${size.left} ${at}H${size.width - size.right}"/><text class="end" x="${size.left - 6}" y="${at}" dy="4">${tick}</text>`;
    }),
    ...x.ticks.map((tick) => {
      const at = pixel(x.at(tick));
      return `<path class="grid" d="M${at} ${floor}v4"/><text class="middle" x="${at}" y="${floor + 18}">${tick}</text>`;
    }),
    `<path class="area" d="${areaOf(mbps, (step) => atMs(start_ms + step * step_ms), y.at, floor)}"/>`,
    ...markGroups(shown.map(({ at_ms }) => atMs(at_ms))).map((group, row) =>
      markAt(group, row, floor),
    ),
    `<text x="${size.left}" y="14">Mbit/s</text>`,
    `<text class="end" x="${size.width - size.right}" y="${size.height - 6}">seconds from the guest's stop</text>`,
    "</svg>",
    legend(shown, zeroMs),
  ].join("\n");
}

const zoom = { beforeMs: 150, afterMs: 450 };

/**
 * The plot of the whole timeline, and one of the moments around the switchover where that shows more. Pure.
 */
export function throughputPlots(plot: ThroughputPlot): string {
  const { throughput, marks, title } = plot;
  const timesOf = (phases: readonly string[]) =>
    marks.filter(({ phase }) => phases.includes(phase)).map(({ at_ms }) => at_ms);
  const stopMs = stopOf(marks);
  const endMs = Math.max(...timesOf(["stop", "resume", "resumed", "route-change"]));
  const whole = throughputPlot(plot);
  if (stopMs === undefined) return whole;
  const near = cut(throughput, stopMs - zoom.beforeMs, endMs + zoom.afterMs);
  if (near.mbps.length === 0 || near.mbps.length > throughput.mbps.length / 2) return whole;
  const closer = { ...plot, title: `${title}, around the switchover`, throughput: near };
  return `${whole}\n${throughputPlot(closer)}`;
}

function cut({ start_ms, step_ms, mbps }: ThroughputTimeline, fromMs: number, toMs: number) {
  const first = Math.max(0, Math.floor((fromMs - start_ms) / step_ms));
  const end = Math.max(first, Math.ceil((toMs - start_ms) / step_ms));
  return { start_ms: start_ms + first * step_ms, step_ms, mbps: mbps.slice(first, end) };
}

function stopOf(marks: readonly PlotMark[]): number | undefined {
  return marks.find(({ phase }) => phase === "stop")?.at_ms;
}

function blackout(
  marks: readonly PlotMark[],
  atMs: (ms: number) => number,
  floor: number,
): string[] {
  const from = stopOf(marks);
  const resume = marks.find(({ phase }) => phase === "resume");
  const to = (resume ?? marks.find(({ phase }) => phase === "resumed"))?.at_ms;
  if (from === undefined || to === undefined || to < from) return [];
  // A blackout of a few milliseconds still has to be seen.
  const width = Math.max(1.5, atMs(to) - atMs(from));
  return [
    `<rect class="blackout" x="${pixel(atMs(from))}" y="${size.top}" width="${pixel(width)}" height="${floor - size.top}"/>`,
  ];
}

/** Steps, so that an empty one is seen as empty. */
function areaOf(
  mbps: readonly number[],
  xOf: (step: number) => number,
  yOf: (mbps: number) => number,
  floor: number,
): string {
  const steps = mbps.map((value, step) => `V${pixel(yOf(value))}H${pixel(xOf(step + 1))}`);
  return `M${pixel(xOf(0))} ${floor}${steps.join("")}V${floor}Z`;
}

function marksWithin(marks: readonly PlotMark[], fromMs: number, toMs: number): PlotMark[] {
  return marks
    .filter(({ at_ms }) => at_ms >= fromMs && at_ms <= toMs)
    .toSorted((left, right) => left.at_ms - right.at_ms)
    .slice(0, maxMarks);
}

/** Marks with one line and one label, since there is no room for more. */
interface MarkGroup {
  x: number;
  /** From 1, as in the legend. */
  first: number;
  last: number;
}

function markGroups(places: readonly number[]): MarkGroup[] {
  const groups: MarkGroup[] = [];
  for (const [index, x] of places.entries()) {
    const group = groups.at(-1);
    if (group !== undefined && x - group.x < labelWidth) group.last = index + 1;
    else groups.push({ x, first: index + 1, last: index + 1 });
  }
  return groups;
}

/** Neighbours stand in different rows. */
function markAt({ x, first, last }: MarkGroup, row: number, floor: number): string {
  const labelY = size.top - 4 - (row % labelRows) * 11;
  const label = first === last ? `${first}` : `${first}\u2013${last}`;
  return `<path class="mark" d="M${pixel(x)} ${labelY + 1}V${floor}"/><text class="number" x="${pixel(x + 2)}" y="${labelY}">${label}</text>`;
}

function legend(marks: readonly PlotMark[], zeroMs: number): string {
  const items = marks.map(({ phase, at_ms }, index) => {
    const ms = Math.round((at_ms - zeroMs) * 10) / 10;
    return `<li><b>${index + 1}</b> ${escapeText(phase)} ${ms > 0 ? "+" : ""}${ms} ms</li>`;
  });
  return items.length === 0 ? "" : `<ol class="legend">${items.join("")}</ol>`;
}
