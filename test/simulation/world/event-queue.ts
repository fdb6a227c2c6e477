export interface QueuedEvent {
  atMs: number;
  order: number;
  work: (() => void) | null;
}

/** What is to happen, by time and, at one instant, by order of arrival: a binary heap. */
export class EventQueue {
  readonly #heap: QueuedEvent[] = [];
  #order = 0;

  push(atMs: number, work: () => void): QueuedEvent {
    const event = { atMs, order: this.#order, work };
    this.#order += 1;
    this.putBack(event);
    return event;
  }

  /** One that was popped too early; whoever has it may still cancel it. */
  putBack(event: QueuedEvent): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(event, heap[parent] as QueuedEvent)) break;
      heap[index] = heap[parent] as QueuedEvent;
      index = parent;
    }
    heap[index] = event;
  }

  /** The next event that was not cancelled. */
  pop(): QueuedEvent | null {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined) return null;
      const last = this.#heap.pop() as QueuedEvent;
      if (this.#heap.length > 0) this.#sink(last);
      if (first.work !== null) return first;
    }
  }

  #sink(event: QueuedEvent): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as QueuedEvent)) child += 1;
      if (!isBefore(heap[child] as QueuedEvent, event)) break;
      heap[index] = heap[child] as QueuedEvent;
      index = child;
    }
    heap[index] = event;
  }
}

function isBefore(one: QueuedEvent, other: QueuedEvent): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
