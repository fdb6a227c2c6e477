import { type Hole, holesBetween } from "./holes.ts";
import type { AnswerSeries, BytesSeries, ProbeSeries } from "./series.ts";

/**
 * The holes of a series, in order: times between consecutive arrivals (of answers, of reads that brought bytes, of
 * acknowledgements), and the one that is open at its end.
 */
export function holesOf(series: ProbeSeries): Iterable<Hole> {
  return "bytes" in series ? bytesHoles(series) : answerHoles(series);
}

/** The pace of the requests is part of every hole; only an unanswered request keeps the last one open. */
function answerHoles(series: AnswerSeries): Iterable<Hole> {
  const arrivals = series.receivedMs;
  const endMs = series.unanswered > 0 ? series.endMs : (arrivals.at(-1) ?? series.endMs);
  return holesBetween(arrivals, endMs);
}

function* bytesHoles(series: BytesSeries): Generator<Hole> {
  let lastMs: number | null = null;
  for (let index = 0; index < series.bytes.length; index++) {
    if (series.bytes[index] === 0) continue;
    const endMs = series.gapEndMs[index] as number;
    const gapMs = series.gapMs[index] as number;
    if (gapMs > 0) yield { startMs: endMs - gapMs, endMs };
    // Only the bucket of the last arrival is known, not its moment: the earlier edge would overstate.
    lastMs = series.startMs + (index + 1) * series.bucketMs;
  }
  if (lastMs !== null && series.endMs > lastMs) yield { startMs: lastMs, endMs: series.endMs };
}
