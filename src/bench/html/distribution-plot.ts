import { medianOf } from "../statistics.ts";
import { escapeText } from "./escape.ts";
import { pixel, spreadScale } from "./scale.ts";

export interface DistributionPlot {
  title: string;
  unit: string;
  rows: readonly { name: string; values: readonly number[] }[];
}

const size = { width: 960, row: 44, left: 130, right: 24, top: 10, bottom: 40 };
const jitter = 24;

/** Every value a dot in its row, and a line at the median, as SVG. Pure. */
export function distributionPlot({ title, unit, rows }: DistributionPlot): string {
  const floor = size.top + rows.length * size.row;
  const height = floor + size.bottom;
  const values = rows.flatMap((row) => row.values);
  const x = spreadScale(values, [size.left, size.width - size.right]);
  return [
    `<svg viewBox="0 0 ${size.width} ${height}" role="img" aria-label="${escapeText(title)}">`,
    `<title>${escapeText(title)}</title>`,
    ...x.ticks.map((tick) => {
      const at = pixel(x.at(tick));
      return `<path class="grid" d="M${at} ${size.top}V${floor}"/><text class="middle" x="${at}" y="${floor + 16}">${tick}</text>`;
    }),
    ...rows.flatMap(({ name, values: ofRow }, index) => {
      const middle = size.top + (index + 0.5) * size.row;
      return [
        `<text class="end" x="${size.left - 10}" y="${middle}" dy="4">${escapeText(name)}</text>`,
        ...ofRow.map((value, at) => dot(x.at(value), middle + offset(at), value, unit)),
        ...medianLine(ofRow, x.at, middle),
      ];
    }),
    `<text class="end" x="${size.width - size.right}" y="${height - 6}">${escapeText(unit)}</text>`,
    "</svg>",
  ].join("\n");
}

function dot(x: number, y: number, value: number, unit: string): string {
  return `<circle class="dot" cx="${pixel(x)}" cy="${pixel(y)}" r="3.5"><title>${value} ${escapeText(unit)}</title></circle>`;
}

function medianLine(values: readonly number[], at: (value: number) => number, y: number): string[] {
  const median = medianOf(values);
  if (median === null) return [];
  return [
    `<path class="median" d="M${pixel(at(median))} ${y - size.row / 2 + 4}v${size.row - 8}"><title>median ${median}</title></path>`,
  ];
}

/** Spread evenly by the golden ratio: the same page from the same figures. */
function offset(index: number): number {
  return (((index * 0.618034 + 0.5) % 1) - 0.5) * jitter;
}
