import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** Makes the metrics of one registry. Names, units and HELP texts follow Prometheus' conventions. */
export class Instruments {
  readonly registry = new Registry();

  /** A total that only grows until the daemon ends. */
  counter<Label extends string = never>(
    name: `sojourn_${string}_total`,
    help: string,
    labelNames: readonly Label[] = [],
  ): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  /** A counter that is kept elsewhere: `collect` tells its values whenever it is asked for, from memory alone. */
  countedElsewhere<Label extends string = never>(
    name: `sojourn_${string}_total`,
    help: string,
    labelNames: readonly Label[],
    collect: (add: (labels: Record<Label, string>, count: number) => void) => void,
  ): void {
    new Counter<Label>({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset();
        collect((labels, count) => this.inc(labels as never, count));
      },
    });
  }

  /** The same of what must be asked for elsewhere; what `read` fails to tell stays as it was. */
  readElsewhere<Label extends string>(
    name: `sojourn_${string}_total`,
    help: string,
    label: Label,
    read: () => Promise<Readonly<Record<string, number>>>,
  ): void {
    new Counter<Label>({
      name,
      help,
      labelNames: [label],
      registers: [this.registry],
      async collect() {
        const values = await read().catch(() => null);
        if (values === null) return;
        this.reset();
        for (const [value, count] of Object.entries(values)) {
          this.inc({ [label]: value } as never, count);
        }
      },
    });
  }

  gauge<Label extends string = never>(
    name: `sojourn_${string}`,
    help: string,
    labelNames: readonly Label[] = [],
  ): Gauge<Label> {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }

  /** A gauge that is set anew, by `collect`, whenever it is asked for: from memory alone. */
  collectedGauge<Label extends string = never>(
    name: `sojourn_${string}`,
    help: string,
    labelNames: readonly Label[],
    collect: (gauge: Gauge<Label>) => void,
  ): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset();
        collect(this);
      },
    });
  }

  /** @param beforeCollecting brings in what was put aside since it was last asked for. */
  histogram<Label extends string = never>(
    name: `sojourn_${string}_seconds` | `sojourn_${string}_bytes`,
    help: string,
    buckets: readonly number[],
    labelNames: readonly Label[] = [],
    beforeCollecting: () => void = () => {},
  ): Histogram<Label> {
    return new Histogram({
      name,
      help,
      labelNames,
      buckets: [...buckets],
      registers: [this.registry],
      collect: beforeCollecting,
    });
  }
}
